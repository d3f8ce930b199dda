import { cite, type Paper } from "../citations.ts";
import { html } from "../html.ts";
import type { Strings } from "./en.ts";

const ref = (paper: Paper) => cite(paper, "zh-CN");

/** The Chinese of the report. */
export const zh: Strings = {
  lang: "zh-CN",
  between: "",
  title: "批归一化究竟做了什么",
  description: "同样的网络，用与不用批归一化各训练一遍，用数据检验五个论断。",
  lead: (data, train, test) =>
    `同样的网络在 ${data}（训练样本 ${train} 个，测试样本 ${test} 个）上用与不用批归一化各训练一遍：关于批归一化的五个论断，逐一做实验，由数据下结论。`,
  toolbar: { language: "语言", theme: "主题", light: "浅色", dark: "深色", skip: "跳到正文" },
  unfinished: "未完成",
  aborted: "本次实验中途停止。已测得的结果照常列出，缺少的部分均已注明。",
  notRun: "未运行",
  noData: "尚无测量数据。",
  missing: "缺",
  seconds: (s) => `${s} 秒`,
  minutes: (m, s) => `${m} 分 ${s} 秒`,
  hours: (h, m) => `${h} 小时 ${m} 分`,
  more: (shown, all) => `共 ${all} 次测量，此处列出 ${shown} 次，完整数据见报告旁的 JSON 文件。`,
  norm: { none: "不归一化", batch: "批归一化", layer: "层归一化", instance: "实例归一化", group: "组归一化" },
  normShort: { none: "不归一化", batch: "批归一化", layer: "层归一化", instance: "实例归一化", group: "组归一化" },
  verdicts: { holds: "成立", part: "部分成立", fails: "此处不成立", open: "无法判定" },
  at: {
    title: "一览",
    share: "批归一化达到普通网络最高准确率所用的步数，与普通网络之比",
    untrained: "批归一化达到的准确率；普通网络此时尚未开始学习",
    scales: (plain) => `使用批归一化时可行的权重尺度；不使用时${plain === 0 ? "没有一种可行" : `只有 ${plain} 种可行`}`,
    rate: "批归一化可行的最大学习率，与普通网络之比",
    rateOnly: "使用批归一化时可行的最大学习率；不使用时，试过的都不可行",
    test: "个百分点：批归一化与不归一化的测试准确率之差（多个随机种子的均值）",
    verdicts: "五个论断",
  },
  sections: { claim: "论断", says: "结果说明了什么", rule: "判定规则", settings: "实验设置", numbers: "详细数据" },
  axis: {
    step: "训练步数",
    testAccuracy: "测试准确率（%）",
    accuracy: "准确率（%）",
    input: "Sigmoid 的输入",
    std: "权重的标准差",
    factor: "相对默认初始化的倍数",
    learningRate: "学习率",
    batchSize: "批大小（样本数）",
    testError: "测试错误率（%）",
    value: "数值",
  },
  table: {
    step: "步数",
    seed: "随机种子",
    accuracy: "准确率",
    stepsNone: "不归一化所需步数",
    stepsBatch: "批归一化所需步数",
    never: "未达到",
    percentile: (p) => `第 ${p} 百分位数`,
    normalization: "归一化方法",
    train: "训练集",
    test: "测试集",
    gap: "差距",
    mean: "均值 ± 标准差",
    diverged: "发散",
    seeds: (n) => (n === 1 ? "单个随机种子" : `${n} 个随机种子的均值`),
  },
  settings: {
    network: "网络",
    activation: "激活函数",
    weights: "权重初始化",
    optimizer: "优化器",
    learningRate: "学习率",
    batchSize: "批大小",
    steps: "训练步数",
    epochs: "训练轮数",
    seeds: "随机种子",
    groups: "组归一化的组数",
    trainSamples: "训练样本数",
    testSamples: "测试样本数",
    duration: "用时",
  },
  three: {
    name: "批归一化的三个步骤",
    lead: (layer, unit, step, m) =>
      `小批量中的每个样本都会给神经元送来一个数，批归一化把这些数放在一起看。下面这 ${m} 个数取自本次实验的网络：第 ${layer} 个隐藏层的 ${unit} 号神经元，第 ${step} 步。`,
    figure: "同一组数值经过每一步之后",
    mean: "▲ 均值",
    figureDesc: (m) =>
      `${m} 个数值排成四行：原始输入、归一化之后、乘以 gamma 之后、加上 beta 之后；细线把同一个数值在各行的位置连起来。`,
    rows: { x: "输入 x", xhat: "1 · 归一化", scaled: "2 · 缩放", y: "3 · 平移" },
    normalize: "归一化",
    normalizeText: "减去小批量的均值，再除以标准差。这里的方差是有偏方差，即除以 m；ε 防止分母为零。",
    scale: "缩放",
    scaleText: "乘以 γ。γ 是网络学习得到的参数，每个神经元一个（卷积层中每个通道一个）。",
    shift: "平移",
    shiftText: "加上同样由学习得到的 β。若 γ = σ、β = μ，这一层便恰好还原输入，因此网络的表达能力没有任何损失。",
    first: "以第一个数为例：",
    trainEval: "训练与推理",
    trainText: "训练时使用小批量自身的统计量，同时更新滑动均值和滑动方差。计入滑动方差的是无偏方差，即除以 m − 1。",
    evalText:
      "推理时（eval 模式）改用滑动统计量，样本的输出便不再受同批其他样本影响。同样的数值此时会得到不同的结果；滑动统计量积累的步数越少，差别越大。",
    caption: "全部数值",
    sample: "样本",
    trainColumn: "y（训练）",
    evalColumn: "y（推理）",
    rounded: "表中保留三位小数，计算时未作舍入。",
  },
  speed: {
    name: "训练更快",
    claim: html`使用批归一化后，网络只需少得多的步数就能达到同样的准确率。实验取自 ${ref("ioffe")} 的图 1：三个使用 Sigmoid 的隐藏层，权重初始化为方差较小的高斯分布。`,
    figure: "训练过程中的测试准确率：使用与不使用批归一化",
    figureDesc:
      "测试准确率随训练步数变化的两条曲线：批归一化与不归一化。虚线标出普通网络的最高准确率，圆圈标出批归一化达到该准确率的步数。",
    mark: (best, share, step) => `第 ${step} 步达到 ${best}：\n只用 ${share} 的步数`,
    reached: (best, batchStep, plainStep, share) =>
      `普通网络的最高准确率是 ${best}，用了 ${plainStep} 步；批归一化只用 ${batchStep} 步就达到了，是前者的 ${share}。`,
    slower: (best, batchStep, plainStep) =>
      `要达到普通网络的最高准确率 ${best}，批归一化需要 ${batchStep} 步，而普通网络需要 ${plainStep} 步。`,
    never: (best, batchBest) =>
      `本次实验中，批归一化始终没有达到普通网络的最高准确率 ${best}，其自身最高为 ${batchBest}。`,
    untrained: (plainBest, steps, batchBest) =>
      `训练 ${steps} 步后，普通网络仍未开始学习（最高准确率 ${plainBest}），而批归一化已达到 ${batchBest}。此时比较步数没有意义，因此不给出比值。`,
    cost: (ratio) => `使用批归一化时，每步训练的耗时是不使用时的 ${ratio} 倍。`,
    clock: (share) => `按实际时间计算，大约只需 ${share} 的时间。`,
    verdict: {
      holds: "批归一化远早于普通网络达到目标。",
      part: "批归一化领先，但幅度小于判定规则的要求。",
      fails: "批归一化在这里并不比普通网络更快，论断不成立。",
      open: "两个网络中至少有一个还没有测量数据。",
    },
    rule: (share, learned, trained) =>
      `批归一化达到普通网络最高准确率所用的步数不超过后者的 ${share}，即为成立；只要步数更少，即为部分成立。若普通网络的准确率从未比随机猜测高出 ${learned} 个百分点，则批归一化达到 ${trained} 即为成立。`,
    table: "达到各准确率所需的步数",
    curves: "各步的测试准确率",
    unit: "典型神经元的输入",
    unitText: (layer, unit) =>
      html`${ref("ioffe")} 还展示了另一点（图 1b、1c）：单个神经元的 Sigmoid 所接收输入的分布，这里取第 ${layer} 个隐藏层的 ${unit} 号神经元。实线为中位数，色带介于第 15 与第 85 百分位数之间。`,
    unitFigure: (norm) => `训练过程中单个 Sigmoid 的输入：${norm}`,
    unitDesc: "横轴为训练步数；色带介于该神经元输入的第 15 与第 85 百分位数之间，实线为中位数。",
    drift: (batch, plain, batchGrowth, plainGrowth) =>
      `使用批归一化时，中位数的变动范围为 ${batch}，不使用时为 ${plain}；色带最宽处与最窄处之比，使用时为 ${batchGrowth}，不使用时为 ${plainGrowth}。`,
    driftVerdict: {
      holds: "两项指标都表明，使用批归一化时输入更稳定。",
      part: "两项指标中只有一项表明，使用批归一化时输入更稳定。",
      fails: "在此处，使用批归一化时输入并没有更稳定。",
      open: "",
    },
    santurkar: html`论文把训练加快归因于输入分布更稳定，这一解释存在争议：${ref("santurkar")} 人为加入噪声使输入分布变得不稳定，批归一化依然有效。他们认为，真正的原因是批归一化使损失曲面更平滑。`,
  },
  init: {
    name: "对初始化不那么敏感",
    claim: "无论初始权重偏小还是偏大，带归一化的网络都能训练起来；普通网络则只在很窄的范围内可行。",
    figure: "不同权重尺度下的最终测试准确率（%）",
    figureDesc:
      "最终测试准确率（百分比）的网格：每种归一化方法一行，每种权重尺度一格。浅色主题下颜色越深、深色主题下颜色越亮，准确率越高。",
    says: (batch, plain, of) => `在 ${of} 种权重尺度中，批归一化在 ${batch} 种下可行，普通网络在 ${plain} 种下可行。`,
    spread: (batch, plain) =>
      `最好与最差尺度之间的准确率之差，使用批归一化时为 ${batch} 个百分点，不使用时为 ${plain} 个百分点。`,
    verdict: {
      holds: "使用批归一化时，可行的权重尺度更多，彼此差异也更小。",
      part: "可行的尺度更多与差异明显更小，两者只占其一。",
      fails: "批归一化在这里对权重尺度与普通网络同样敏感，论断不成立。",
      open: "同时测过批归一化与不归一化的权重尺度不足两种。",
    },
    rule: (works, spread) =>
      `最终准确率不低于网格最高值的 ${works}，即视为可行。若批归一化可行的尺度多于普通网络，且其准确率的极差不超过普通网络的 ${spread}，即为成立；只满足一项，为部分成立。`,
  },
  learningRate: {
    name: "可以使用更大的学习率",
    claim: "使用批归一化后，网络能够以普通网络无法承受的学习率训练。",
    figure: "不同学习率下的最终测试准确率（%）",
    figureDesc:
      "最终测试准确率（百分比）的网格：每种归一化方法一行，每种学习率一格。浅色主题下颜色越深、深色主题下颜色越亮，准确率越高。",
    says: (batch, plain, factor) =>
      `可行的最大学习率，使用批归一化时为 ${batch}，不使用时为 ${plain}，前者是后者的 ${factor} 倍。`,
    only: (batch) => `使用批归一化时，学习率最大到 ${batch} 仍然可行；不使用时，试过的学习率都不可行。`,
    none: "使用批归一化时，试过的学习率都不可行。",
    edge: "这已是试过的最大学习率，真正的上限可能更高。",
    verdict: {
      holds: "批归一化能承受明显更大的学习率。",
      part: "批归一化能承受更大的学习率，但优势不大。",
      fails: "批归一化在这里能承受的学习率并不比普通网络大，论断不成立。",
      open: "两个网络在试过的最大学习率下都仍然可行，或测过的学习率太少。",
    },
    rule: (works, factor) =>
      `最终准确率不低于网格最高值的 ${works}，即视为可行。若批归一化可行的最大学习率不小于普通网络的 ${factor} 倍，即为成立；只要更大，即为部分成立。`,
  },
  generalization: {
    name: "泛化更好",
    claim: "批归一化有正则化作用：卷积网络在未见过的图像上表现更好。",
    figure: "训练与测试准确率，每个标记对应一个随机种子",
    figureDesc:
      "每种归一化方法有两行标记，空心圆为训练准确率，实心圆为测试准确率，每个标记对应一个随机种子；竖线为均值，横线为均值上下各一个标准差。",
    says: (higher, points, error, pairs) =>
      `与不归一化相比，批归一化的测试准确率${higher ? "高" : "低"} ${points} 个百分点（标准误 ${error}，相同随机种子配对，共 ${pairs} 对）。`,
    gap: (batch, plain) => `训练准确率比测试准确率高出的百分点，使用批归一化时为 ${batch}，不使用时为 ${plain}。`,
    verdict: {
      holds: "测试准确率的提高超出随机种子带来的波动，且与训练准确率的差距没有变大。",
      part: "测试准确率更高但差距变大，或者只是差距变小。",
      fails: "批归一化的测试准确率在这里即使有所提高，也没有超出随机种子带来的波动，论断不成立。",
      open: "至少要有两个随机种子同时测过批归一化与不归一化。",
    },
    rule: (errors) =>
      `按相同随机种子配对求差，平均差超过其标准误的 ${errors} 倍才算数。测试准确率更高且训练与测试的差距没有变大，即为成立；只有差距变小，或测试准确率更高但差距变大，为部分成立。`,
  },
  batchSize: {
    name: "与同类方法比较",
    claim: html`批归一化的统计量来自小批量，因此批不能太小；层归一化、实例归一化和组归一化只看单个样本，与批大小无关（${ref("wu")} 的图 1；${ref("ba")}；${ref("ulyanov")}）。`,
    figure: "不同批大小下的测试错误率",
    figureDesc: "测试错误率（百分比）随批大小变化的曲线，每种归一化方法一条，越低越好。两个坐标轴均为对数刻度。",
    lead: (ahead, points, size) => `批大小为 ${size} 时${ahead ? "高" : "低"} ${points} 个百分点`,
    says: (small, reference) => `与组归一化相比，批归一化的测试准确率在${small}，在${reference}。`,
    best: (small, smallNorm, large, largeNorm) =>
      `批大小为 ${small} 时准确率最高的是${smallNorm}，为 ${large} 时是${largeNorm}。`,
    verdict: {
      holds: "批较小时批归一化落后于组归一化，批够大时则不落后。",
      part: "批越小，批归一化相对组归一化越吃亏，但并非每一项都符合。",
      fails: "小批量在这里并没有使批归一化落后于组归一化，论断不成立。",
      open: "同时测过批归一化与组归一化的批大小太少。",
    },
    rule: (gap, reference) =>
      `在最小的批大小下，批归一化落后组归一化至少 ${gap} 个百分点，而在最接近 ${reference} 的批大小下落后不超过这个数，即为成立；只在最小处落后，或优势至少缩小这么多，为部分成立。`,
  },
  limits: {
    name: "局限",
    points: (preset) => [
      "这里用的是小网络和小幅灰度数字图像。此处成立的结论，对大网络未必成立或未必同样明显，反之亦然。",
      `本次使用“${preset}”预设。${preset === "full" ? "它按论文运行 50,000 步，并使用完整的网格。" : "为了在一分钟左右跑完，步数更少、网格更粗、随机种子也不多；“full”预设会按论文运行 50,000 步，并使用完整的网格。"}`,
      "凡是只有一个随机种子的数据点，零点几个百分点的差异都可能出于偶然。",
      "同一实验中，所有网络的设置、样本和样本顺序都相同，没有为任何一个单独调参。若单独调参，普通网络的表现可能比这里更好。",
      "结论按固定规则得出，规则附在每个实验之后。换一组阈值，结论可能不同；请以数据为准。",
    ],
  },
  reproduce: {
    name: "重新运行",
    text: "在同一版本上，相同的随机种子会得到相同的数值，与线程数无关。",
    machine: "运行环境",
    labels: {
      date: "日期",
      preset: "预设",
      seed: "随机种子",
      version: "evenkeel",
      data: "数据",
      cpu: "处理器",
      cores: "核心数",
      os: "系统",
      node: "Node",
      backend: "后端",
      duration: "用时",
    },
    data: (name, train, test) => `${name}，训练样本 ${train} 个，测试样本 ${test} 个`,
    backend: (backend, simd, threads) => `${backend}，SIMD ${simd}，${threads} 个线程`,
  },
  papers: "参考文献",
};
