# %% [markdown]
# # 9. The second derivative: curvature and the largest step
#
# The gradient says which way is down. How far one may go is a question of how fast the slope
# changes, and so of second derivatives. There are $n^2$ of them, too many to write down. It turns
# out that one never has to.

# %%
import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import datasets, nn, optim, viz

# %% [markdown]
# ## The Hessian
#
# Around a point $\theta$, a loss looks like a quadratic function of the step $d$:
#
# $$f(\theta + d) \approx f(\theta) + g^\top d + \frac{1}{2}\, d^\top H d, \qquad
# H_{ij} = \frac{\partial^2 f}{\partial\theta_i\,\partial\theta_j}.$$
#
# $H$ is symmetric. Along an eigenvector with eigenvalue $\lambda$ the loss is a parabola of
# curvature $\lambda$: a wall if $\lambda$ is large, flat if it is 0, a hilltop if it is negative.
#
# A small network, trained for a while, has a Hessian that can be looked at whole.

# %%
data = datasets.digits()
x, y = mg.tensor(data.x[:300, ::2]), mg.tensor(data.y[:300])
mg.manual_seed(0)
model = nn.Sequential(nn.Linear(32, 8), nn.Tanh(), nn.Linear(8, 10))
loss_fn = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=0.02)
for _ in range(60):
    optimizer.zero_grad()
    loss_fn(model(x), y).backward()
    optimizer.step()

H = mg.curvature.HessianOperator(loss_fn(model(x), y), model.parameters())
dense = H.dense().numpy()
print(f"loss {loss_fn(model(x), y).item():.3f}, Hessian of {H.shape[0]} parameters")

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4))
left.imshow(np.log10(np.abs(dense) + 1e-6), vmin=-5, vmax=0)
left.set(title="$\\log_{10} |H_{ij}|$, by the order of the parameters")
left.grid(visible=False)
eigenvalues = np.linalg.eigvalsh(dense.astype(float))
right.plot(eigenvalues[::-1], ".", ms=3)
right.set_yscale("symlog", linthresh=1e-3)
right.set(title="eigenvalues, by size", xlabel="number")
viz.show(plt.gcf(), "runs/course/09-1.png")

# %% [markdown]
# A few eigenvalues are large, and many are about 0: in most directions the loss hardly changes. A
# few are negative, so this is not a minimum yet.
#
# ## Products instead of a matrix
#
# The derivative of the gradient along $v$ is $Hv$:
#
# $$H v = \lim_{h \to 0} \frac{g(\theta + h v) - g(\theta)}{h}.$$
#
# The engine finds it by the rules of calculus, in one sweep forward and one back, at the cost of
# two or three gradients, and whatever $n$ is (Pearlmutter 1994). `H @ v` does that; the matrix is
# not formed.

# %%
v = mg.randn(H.shape[0])
error = abs((H @ v).numpy() - dense @ v.numpy()).max()
print(f"the product and the matrix agree to {error:.0e}")

# %% [markdown]
# **Power iteration** finds the largest eigenvalue from products alone. Multiply a vector by $H$
# again and again: what grows fastest wins, and that is the eigenvector of the largest
# $|\lambda|$.

# %%
estimates = []
for _ in range(60):
    v = v / v.norm()
    product = H @ v
    estimates.append((v @ product).item())
    v = product
largest = eigenvalues[-1]
plt.semilogy(np.abs(np.array(estimates) / largest - 1), ".-")
plt.xlabel("product")
plt.ylabel("relative error of $λ_{max}$")
viz.show(plt.gcf(), "runs/course/09-2.png")

# %% [markdown]
# ## The largest step
#
# Near a minimum take the loss as the quadratic above. Along an eigenvector, gradient descent with
# rate $\alpha$ multiplies the distance to the minimum by $1 - \alpha\lambda$ at each step. It
# shrinks if $|1 - \alpha\lambda| < 1$. So all directions converge if and only if
#
# $$\alpha < \frac{2}{\lambda_{\max}}.$$
#
# To see it, a loss that *is* quadratic: half the mean squared error of a linear model. Its
# Hessian, $A^\top A/n$, is the same everywhere.

# %%
A, b = mg.randn(200, 20, dtype=mg.float64), mg.randn(200, dtype=mg.float64)


def quadratic(w):
    return 0.5 * ((A @ w - b) ** 2).mean()


hessian = mg.curvature.HessianOperator.of(quadratic, mg.zeros(20, dtype=mg.float64))
steepest = mg.curvature.top_eigenvalues(hessian).values.item()
lowest = quadratic(mg.solve(A.T @ A, A.T @ b)).item()
curves = {}
for factor in (1.0, 1.9, 1.98, 2.1):
    w, curves[factor] = mg.zeros(20, dtype=mg.float64), []
    for _ in range(150):
        value, slope = mg.value_and_grad(quadratic)(w)
        curves[factor].append(value.item() - lowest)
        w = w - factor / steepest * slope
    plt.semilogy(curves[factor], label=f"α = {factor} / λmax")
plt.gca().set(xlabel="step", ylabel="loss, above its minimum", ylim=(1e-10, None))
plt.legend()
viz.show(plt.gcf(), "runs/course/09-3.png")

# %% [markdown]
# The limit is sharp. A little below it the loss falls, a little above it grows without end. And
# the best rate is not the largest: what is just below the limit jumps to and fro along the
# steepest direction, at nearly the same height.
#
# ## What must hold

# %%
assert error < 1e-4
assert np.allclose(dense, dense.T, atol=1e-5)
assert abs(estimates[-1] / largest - 1) < 0.01
assert np.mean(np.abs(eigenvalues) < 0.01 * largest) > 0.5
assert curves[1.98][-1] < curves[1.98][0] < 0.1 * curves[2.1][-1]

# %% [markdown]
# ## Exercises
#
# 1. Power iteration finds the largest $|\lambda|$. How do you get the most negative eigenvalue by
#    the same means, once you know $\lambda_{\max}$? Compare with
#    `top_eigenvalues(H, which="smallest")`.
# 2. Train the network with plain gradient descent on all data, and follow $\lambda_{\max}$. Where
#    does it go, as seen from $2/\alpha$? (Example 11 has the answer.)
