import { nn } from "../../dist/index.js";

/** The network of Ioffe & Szegedy 2015, section 4.1. */
function mlp() {
  const hidden = (from) => [new nn.Linear(from, 100, { bias: false }), new nn.BatchNorm1d(100), new nn.Sigmoid()];
  return new nn.Sequential(...hidden(784), ...hidden(100), ...hidden(100), new nn.Linear(100, 10));
}

function cnn() {
  const stage = (from, to) => [
    new nn.Conv2d(from, to, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(to),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
  ];
  const head = [
    new nn.Linear(64 * 7 * 7, 128, { bias: false }),
    new nn.BatchNorm1d(128),
    new nn.ReLU(),
    new nn.Linear(128, 10),
  ];
  return new nn.Sequential(...stage(1, 32), ...stage(32, 64), new nn.Flatten(), ...head);
}

class Block extends nn.Module {
  constructor(from, to, stride) {
    super();
    this.conv1 = new nn.Conv2d(from, to, 3, { stride, padding: 1, bias: false });
    this.bn1 = new nn.BatchNormAct2d(to);
    this.conv2 = new nn.Conv2d(to, to, 3, { padding: 1, bias: false });
    this.bn2 = new nn.BatchNormAct2d(to);
    this.shortcut =
      stride === 1
        ? null
        : new nn.Sequential(new nn.Conv2d(from, to, 1, { stride, bias: false }), new nn.BatchNorm2d(to));
  }

  forward(x) {
    const y = this.bn1.forward(this.conv1.forward(x));
    const residual = this.shortcut ? this.shortcut.forward(x) : x;
    return this.bn2.forward(this.conv2.forward(y), { residual });
  }
}

/** He et al. 2016, section 4.2, with 1 × 1 convolutions where the width changes. */
function resnet20() {
  const stage = (from, to, stride) => [new Block(from, to, stride), new Block(to, to, 1), new Block(to, to, 1)];
  return new nn.Sequential(
    new nn.Conv2d(3, 16, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(16),
    new nn.ReLU(),
    ...stage(16, 16, 1),
    ...stage(16, 32, 2),
    ...stage(32, 64, 2),
    new nn.AdaptiveAvgPool2d(1),
    new nn.Flatten(),
    new nn.Linear(64, 10),
  );
}

/** The networks by name, with the shape of one sample. */
export const MODELS = {
  mlp: () => ({ model: mlp(), shape: [784] }),
  cnn: () => ({ model: cnn(), shape: [1, 28, 28] }),
  resnet20: () => ({ model: resnet20(), shape: [3, 32, 32] }),
};
