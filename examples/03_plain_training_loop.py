"""A network on handwritten digits, in the loop that PyTorch's users know."""

import minigrad as mg
from minigrad import datasets, nn, optim

mg.manual_seed(0)
train, test = datasets.digits().split(test=0.2, seed=0)

model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
loss_fn = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=3e-3)
print(model)

for epoch in range(15):
    total = 0.0
    for x, y in train.loader(batch_size=32, shuffle=True, seed=epoch):
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    print(f"epoch {epoch + 1:2}: training loss {total / len(train):.4f}")

with mg.no_grad():
    predicted = model(mg.tensor(test.x)).argmax(axis=1)
accuracy = (predicted == mg.tensor(test.y)).astype(mg.float32).mean().item()
print(f"test accuracy {accuracy:.2%} of {len(test)} images")

assert accuracy > 0.96
