import "../ops/methods.ts";
import "../runtime.ts";

export { CifarResNet, type CifarResNetOptions, resnet20 } from "./cifar-resnet.ts";
export { DenseNet, type DenseNetOptions, densenet121 } from "./densenet.ts";
export { ImageModel, type NormLayer } from "./image-model.ts";
export { MobileNetV2, type MobileNetV2Options, mobilenetV2 } from "./mobilenet-v2.ts";
export { BasicBlock, Bottleneck } from "./residual-blocks.ts";
export { ResNet, type ResNetOptions, resnet18, resnet34, resnet50 } from "./resnet.ts";
export { VGG, type VGGOptions, vgg11Bn, vgg16Bn } from "./vgg.ts";
