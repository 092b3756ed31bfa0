"""Training: the loop, what watches and steers it, checkpoints and the folder a run leaves behind.

Floor 4; not imported by ``import minigrad``: ``from minigrad import training``.
"""

from minigrad.training.callback import Callback
from minigrad.training.checkpoint import Checkpoint
from minigrad.training.cost_change import StopOnCostChange
from minigrad.training.early_stopping import EarlyStopping
from minigrad.training.gradient_flow import GradientFlow
from minigrad.training.history import History
from minigrad.training.layer_log import LayerLog
from minigrad.training.learning_rate import LearningRate
from minigrad.training.logs import CSVLog, JSONLLog
from minigrad.training.loop import Loop, fit
from minigrad.training.metrics import correct, default_batch_size, evaluate
from minigrad.training.mistakes import mistakes
from minigrad.training.progress import Progress
from minigrad.training.report import DrawGraph, Report
from minigrad.training.run import Run, RunError
from minigrad.training.status import Status
from minigrad.training.store import CheckpointError, load_checkpoint, resume, save_checkpoint
from minigrad.training.tensorboard import TensorBoard

__all__ = [
    "CSVLog", "Callback", "Checkpoint", "CheckpointError", "DrawGraph", "EarlyStopping",
    "GradientFlow", "History", "JSONLLog", "LayerLog", "LearningRate", "Loop", "Progress", "Report",
    "Run", "RunError", "Status", "StopOnCostChange", "TensorBoard", "correct", "default_batch_size",
    "evaluate", "fit", "load_checkpoint", "mistakes", "resume", "save_checkpoint",
]  # fmt: skip
