#!/usr/bin/python3
"""Definitions of the library beside PyTorch's: writes FAMILY.nn, a program with one layer for each
case, and FAMILY.safetensors, what PyTorch 1.13 gives in f64: the value of each case and the
gradients of sum(value * g) by all of its parameters, which tests/torch/torch.c holds the compiled
program to.  /usr/bin/python3 tests/torch/reference.py"""
import torch
import torch.nn.functional as F

from cases import Family, Running, Training, families, fill


def chw(x):
    return x.movedim(-1, 1)


def hwc(x):
    return x.movedim(1, -1)


# ---- activations

f = Family('activations')
plain = {'linear': lambda x: x, 'relu': F.relu, 'leaky_relu': F.leaky_relu, 'elu': F.elu,
         'gelu': F.gelu, 'silu': F.silu, 'softplus': F.softplus, 'hard_tanh': F.hardtanh,
         'tanh': torch.tanh, 'sigmoid': torch.sigmoid}
for name, value in plain.items():
    f.case(name, f'x |> {name}', {'x': (3, 17)}, value)
f.case('leaky_relu_slope', 'x |> leaky_relu(0.2)', {'x': (1, 33)}, lambda x: F.leaky_relu(x, 0.2))
f.case('elu_alpha', 'x |> elu(1.5)', {'x': (1, 33)}, lambda x: F.elu(x, 1.5))
f.case('gelu_tanh', 'x |> gelu_tanh', {'x': (5, 7)},
       lambda x: 0.5 * x * (1 + torch.tanh((2 / torch.pi)**0.5 * (x + 0.044715 * x**3))))
f.case('prelu', 'x |> prelu', {'x': (2, 3, 5), 'prelu#1.a': (5,)},
       lambda x, a: hwc(F.prelu(chw(x), a)))
f.case('hard_sign', 'x * (x |> hard_sign)', {'x': (2, 17)}, lambda x: x * torch.sign(x))
f.case('hard_step', 'x * (x |> hard_step)', {'x': (2, 17)},
       lambda x: x * torch.heaviside(x.detach(), torch.zeros(1)))
f.case('hard_sign_through', 'x |> hard_sign(through = true)', {'x': (2, 17)},
       lambda x: torch.sign(x).detach() + F.hardtanh(x) - F.hardtanh(x).detach())
f.case('hard_step_through', 'x |> hard_step(through = true)', {'x': (2, 17)},
       lambda x: (x > 0).double() + F.hardtanh(x) - F.hardtanh(x).detach())
for shape in [(1, 1), (5, 1), (1, 3), (2, 3, 17), (2, 33)]:
    end = '_'.join(map(str, shape))
    f.case('softmax_' + end, 'x |> softmax', {'x': shape}, lambda x: F.softmax(x, -1))
    f.case('log_softmax_' + end, 'x |> log_softmax', {'x': shape}, lambda x: F.log_softmax(x, -1))
    f.case('logsumexp_' + end, 'x |> logsumexp', {'x': shape}, lambda x: torch.logsumexp(x, -1))

# ---- dense

f = Family('dense')
for name, x, units in [('one', (1, 1), 1), ('odd', (3, 17), 5), ('wide', (1, 5), 33),
                       ('deep', (2, 3, 4), 17)]:
    f.case('dense_' + name, f'x |> dense({units})',
           {'x': x, 'dense#1.w': (x[-1], units), 'dense#1.b': (units,)}, lambda x, w, b: x @ w + b)
f.case('dense_bare', 'x |> dense(3, bias = false)', {'x': (2, 5), 'dense#1.w': (5, 3)},
       lambda x, w: x @ w)


def norm_weights(v, g):
    return torch._weight_norm(v, g.reshape([1] * (v.dim() - 1) + [-1]), v.dim() - 1)


f.case('dense_normed', 'x |> dense(17, normed = true)',
       {'x': (2, 5), 'dense#1.w': (5, 17), 'dense#1.weight_norm#1.g': (17,), 'dense#1.b': (17,)},
       lambda x, v, g, b: x @ norm_weights(v, g) + b)
f.case('maxout', 'x |> maxout(5, 3)',
       {'x': (4, 7), 'maxout#1.w': (7, 3, 5), 'maxout#1.b': (3, 5)},
       lambda x, w, b: (torch.einsum('ni,ipu->npu', x, w) + b).max(1)[0])
f.case('maxout_one', 'x |> maxout(33, 1, bias = false)', {'x': (1, 3), 'maxout#1.w': (3, 1, 33)},
       lambda x, w: torch.einsum('ni,ipu->npu', x, w).max(1)[0])

# ---- convolution

f = Family('convolution')


def conv(x, k, b=None, **how):
    size, width, g, m, o = k.shape
    return hwc(F.conv2d(chw(x), k.permute(2, 4, 3, 0, 1).reshape(g * o, m, size, width), b, **how))


def conv_case(name, x, filters, size, text, width=None, groups=1, bias=True, **how):
    width = width or size
    shapes = {'x': x, 'conv2d#1.k': (size, width, groups, x[-1] // groups, filters // groups)}
    if bias:
        shapes['conv2d#1.b'] = (filters,)
    f.case(name, f'x |> conv2d({filters}, {size}{text})', shapes,
           lambda *p: conv(*p, groups=groups, **how))


conv_case('conv2d', (2, 5, 4, 3), 5, 3, '', padding=1)
conv_case('conv2d_valid', (1, 4, 4, 17), 33, 2, ', pad = "valid"')
conv_case('conv2d_strided', (1, 7, 5, 3), 4, 3, ', stride = 2', padding=1, stride=2)
conv_case('conv2d_stride_over_size', (2, 8, 7, 2), 3, 2, ', stride = 3, pad = "valid"', stride=3)
conv_case('conv2d_pad_over_size', (1, 3, 2, 3), 5, 2, ', pad = 3', padding=3)
conv_case('conv2d_pad_strided', (2, 3, 4, 3), 2, 3, ', pad = 4, stride = 2', padding=4, stride=2)
conv_case('conv2d_pixel', (3, 1, 1, 5), 3, 3, '', padding=1)
conv_case('conv2d_row', (2, 1, 6, 3), 17, 1, '')
conv_case('conv2d_one_channel', (1, 5, 5, 1), 1, 3, '', padding=1)
conv_case('conv2d_dilated', (1, 7, 6, 3), 4, 3, ', dilate = 2', padding=2, dilation=2)
conv_case('conv2d_dilated_strided', (2, 9, 8, 2), 3, 3, ', dilate = 3, stride = 2, pad = 1',
          padding=1, dilation=3, stride=2)
conv_case('conv2d_groups', (1, 4, 5, 6), 9, 3, ', groups = 3', groups=3, padding=1)
conv_case('conv2d_wide', (2, 3, 7, 3), 4, 1, ', width = 5', width=5, padding=(0, 2))
conv_case('conv2d_tall', (1, 8, 3, 2), 3, 5, ', width = 2, pad = "valid"', width=2)
conv_case('conv2d_even', (2, 5, 6, 3), 4, 4, '', padding='same')
conv_case('conv2d_bare', (1, 4, 3, 33), 3, 3, ', bias = false', bias=False, padding=1)
conv_case('conv2d_large', (1, 12, 12, 5), 3, 7, ', stride = 4', padding=3, stride=4)


def norm_filters(k, lengths):
    size, width, g, m, o = k.shape
    flat = k.permute(0, 1, 3, 2, 4).reshape(size, width, m, g * o)
    unit = norm_weights(flat, lengths)
    return unit.reshape(size, width, m, g, o).permute(0, 1, 3, 2, 4)


for name, c, filters, groups in [('conv2d_normed', 3, 5, 1), ('conv2d_normed_groups', 4, 6, 2)]:
    f.case(name, f'x |> conv2d({filters}, 3, groups = {groups}, normed = true)',
           {'x': (1, 4, 5, c), 'conv2d#1.k': (3, 3, groups, c // groups, filters // groups),
            'conv2d#1.normed_filters#1.weight_norm#1.g': (filters,), 'conv2d#1.b': (filters,)},
           lambda x, k, l, b: conv(x, norm_filters(k, l), b, groups=k.shape[2], padding=1))


def conv1(x, k, b=None, **how):
    size, g, m, o = k.shape
    return hwc(F.conv1d(chw(x), k.permute(1, 3, 2, 0).reshape(g * o, m, size), b, **how))


for name, x, filters, size, groups, text, how in [
        ('conv1d', (2, 7, 3), 5, 3, 1, '', {'padding': 1}),
        ('conv1d_one', (1, 1, 1), 1, 1, 1, '', {}),
        ('conv1d_strided', (1, 11, 17), 3, 2, 1, ', stride = 3, pad = "valid"', {'stride': 3}),
        ('conv1d_dilated', (3, 9, 5), 33, 3, 1, ', dilate = 2, pad = 5',
         {'dilation': 2, 'padding': 5}),
        ('conv1d_groups', (2, 6, 6), 4, 4, 2, ', groups = 2', {'groups': 2, 'padding': 'same'})]:
    f.case(name, f'x |> conv1d({filters}, {size}{text})',
           {'x': x, 'conv1d#1.k': (size, groups, x[-1] // groups, filters // groups),
            'conv1d#1.b': (filters,)}, lambda x, k, b: conv1(x, k, b, **how))

for name, x, size, times, text, how in [
        ('depthwise', (2, 5, 4, 17), 3, 1, '', {'padding': 1}),
        ('depthwise_times', (1, 6, 7, 3), 3, 2, ', multiplier = 2, stride = 2',
         {'padding': 1, 'stride': 2}),
        ('depthwise_dilated', (1, 7, 7, 5), 2, 1, ', dilate = 3, pad = "valid"', {'dilation': 3})]:
    c = x[-1]
    f.case(name, f'x |> depthwise_conv2d({size}{text})',
           {'x': x, 'depthwise_conv2d#1.conv2d#1.k': (size, size, c, 1, times),
            'depthwise_conv2d#1.conv2d#1.b': (c * times,)},
           lambda x, k, b: conv(x, k, b, groups=k.shape[2], **how))
f.case('separable', 'x |> separable_conv2d(5, 3, stride = 2)',
       {'x': (2, 5, 6, 3), 'separable_conv2d#1.depthwise_conv2d#1.conv2d#1.k': (3, 3, 3, 1, 1),
        'separable_conv2d#1.conv2d#1.k': (1, 1, 1, 3, 5), 'separable_conv2d#1.conv2d#1.b': (5,)},
       lambda x, d, p, b: conv(conv(x, d, groups=3, padding=1, stride=2), p, b))


def transposed(x, k, b=None, **how):
    size, _, g, m, o = k.shape
    w = k.permute(2, 3, 4, 0, 1).reshape(g * m, o, size, size)
    return hwc(F.conv_transpose2d(chw(x), w, b, groups=g, **how))


for name, x, filters, size, groups, text, how in [
        ('up_conv', (2, 3, 4, 3), 5, 2, 1, ', stride = 2', {'stride': 2}),
        ('up_conv_one', (1, 1, 1, 5), 3, 3, 1, '', {}),
        ('up_conv_pad', (1, 4, 3, 3), 17, 3, 1, ', stride = 2, pad = 1', {'stride': 2, 'padding': 1}),
        ('up_conv_extra', (2, 3, 2, 2), 3, 3, 1, ', stride = 2, pad = 1, extra = 1',
         {'stride': 2, 'padding': 1, 'output_padding': 1}),
        ('up_conv_apart', (1, 3, 3, 3), 2, 2, 1, ', stride = 3, extra = 2',
         {'stride': 3, 'output_padding': 2}),
        ('up_conv_wide', (1, 3, 4, 3), 2, 5, 1, ', stride = 2, pad = 3',
         {'stride': 2, 'padding': 3}),
        ('up_conv_groups', (2, 3, 3, 6), 4, 4, 2, ', stride = 2, pad = 1, groups = 2',
         {'stride': 2, 'padding': 1}),
        ('up_conv_dilated', (1, 3, 4, 4), 6, 3, 2, ', stride = 2, pad = 1, dilate = 2, groups = 2',
         {'stride': 2, 'padding': 1, 'dilation': 2})]:
    f.case(name, f'x |> conv2d_transpose({filters}, {size}{text})',
           {'x': x, 'conv2d_transpose#1.k': (size, size, groups, x[-1] // groups,
                                             filters // groups),
            'conv2d_transpose#1.b': (filters,)}, lambda x, k, b: transposed(x, k, b, **how))

f.case('identity_shortcut', 'x |> identity_shortcut(8, stride = 2)', {'x': (2, 5, 4, 3)},
       lambda x: F.pad(x[:, ::2, ::2], (0, 5)))

# ---- pooling

f = Family('pooling')
windows = [('', (2, 6, 5, 3), 2, 2, 0), ('_overlap', (1, 7, 7, 5), 3, 2, 0),
           ('_pad', (2, 5, 6, 3), 3, 2, 1), ('_apart', (1, 8, 7, 17), 2, 3, 0),
           ('_pixel', (3, 1, 1, 5), 1, 1, 0), ('_dense', (1, 4, 5, 33), 3, 1, 1)]
for end, x, size, stride, pad in windows:
    text = f'{size}, stride = {stride}, pad = {pad}'
    f.case('max_pool' + end, f'x |> max_pool({text})', {'x': x},
           lambda x: hwc(F.max_pool2d(chw(x), size, stride, pad)))
    f.case('avg_pool' + end, f'x |> avg_pool({text})', {'x': x},
           lambda x: hwc(F.avg_pool2d(chw(x), size, stride, pad)))
    f.case('avg_pool_bare' + end, f'x |> avg_pool({text}, padded = false)', {'x': x},
           lambda x: hwc(F.avg_pool2d(chw(x), size, stride, pad, count_include_pad=False)))
    f.case('l2_pool' + end, f'x |> l2_pool({text})', {'x': x},
           lambda x: hwc(F.lp_pool2d(F.pad(chw(x), [pad] * 4), 2, size, stride)))


def weighted(x, size, stride, pad, sigma):
    at = torch.arange(size) - (size - 1) / 2
    share = torch.exp(-(at[:, None]**2 + at**2) / (2 * sigma**2))
    c = x.shape[-1]
    k = (share / share.sum()).repeat(c, 1, 1, 1)
    return hwc(F.conv2d(chw(x), k, stride=stride, padding=pad, groups=c))


f.case('weighted_pool', 'x |> weighted_pool(3, stride = 2, pad = 1)', {'x': (2, 5, 6, 3)},
       lambda x: weighted(x, 3, 2, 1, 0.75))
f.case('weighted_pool_sigma', 'x |> weighted_pool(2, sigma = 1.5)', {'x': (1, 5, 4, 5)},
       lambda x: weighted(x, 2, 2, 0, 1.5))
f.case('max_pool_wide', 'x |> max_pool(1, stride = 2, width = 3)', {'x': (2, 4, 5, 3)},
       lambda x: hwc(F.max_pool2d(chw(x), (1, 3), 2)))
f.case('global_avg_pool', 'x |> global_avg_pool', {'x': (2, 3, 5, 17)}, lambda x: x.mean((1, 2)))
f.case('global_max_pool', 'x |> global_max_pool', {'x': (2, 3, 5, 17)}, lambda x: x.amax((1, 2)))
for end, x, size, stride, pad in [('', (2, 7, 3), 2, 2, 0), ('_pad', (1, 6, 5), 3, 2, 1)]:
    text = f'{size}, stride = {stride}, pad = {pad}'
    f.case('max_pool1d' + end, f'x |> max_pool1d({text})', {'x': x},
           lambda x: hwc(F.max_pool1d(chw(x), size, stride, pad)))
    f.case('avg_pool1d' + end, f'x |> avg_pool1d({text})', {'x': x},
           lambda x: hwc(F.avg_pool1d(chw(x), size, stride, pad)))
for x, scale in [((2, 3, 4, 3), 2), ((1, 1, 5, 2), 3), ((1, 4, 1, 5), 4), ((2, 2, 3, 17), 1)]:
    end = f'_{scale}'
    f.case('nearest' + end, f'x |> upsample_nearest({scale})', {'x': x},
           lambda x: hwc(F.interpolate(chw(x), scale_factor=scale, mode='nearest')))
    f.case('bilinear' + end, f'x |> upsample_bilinear({scale})', {'x': x}, lambda x: hwc(
        F.interpolate(chw(x), scale_factor=scale, mode='bilinear', align_corners=False)))
    f.case('bicubic' + end, f'x |> upsample_bicubic({scale})', {'x': x}, lambda x: hwc(
        F.interpolate(chw(x), scale_factor=scale, mode='bicubic', align_corners=False)))

# ---- shape

f = Family('shape')
f.case('flatten', 'x |> flatten', {'x': (2, 3, 1, 5)}, lambda x: x.flatten(1))
f.case('flatten_row', 'x |> flatten', {'x': (2, 7)}, lambda x: x)
f.case('flatten_time', 'x |> flatten', {'x': (3, 4, 5)}, lambda x: x.flatten(1))
f.case('flatten_pixel', 'x |> flatten', {'x': (1, 1, 1, 1)}, lambda x: x.flatten(1))
f.case('flatten_number', 'x |> flatten', {'x': (3,)}, lambda x: x[:, None])
f.case('transpose', 'x |> transpose', {'x': (2, 3, 5)}, lambda x: x.transpose(1, 2))
f.case('concat', 'concat(a, b)', {'a': (2, 3, 1), 'b': (2, 3, 17)},
       lambda *p: torch.cat(p, -1))
f.case('concat_four', 'concat(a, b, c, d)',
       {'a': (1, 2, 2, 3), 'b': (1, 2, 2, 5), 'c': (1, 2, 2, 1), 'd': (1, 2, 2, 16)},
       lambda *p: torch.cat(p, -1))
f.case('pad2d', 'x |> pad2d(1, 2, 0, 3, value = 0.5)', {'x': (2, 3, 2, 3)},
       lambda x: hwc(F.pad(chw(x), (0, 3, 1, 2), value=0.5)))
f.case('pad_edges', 'x |> pad_edges(3)', {'x': (2, 3, 1, 3)},
       lambda x: hwc(F.pad(chw(x), (3, 3, 3, 3), mode='replicate')))
f.case('crop2d', 'x |> crop2d(1, 0, 2, 1)', {'x': (2, 3, 5, 3)}, lambda x: x[:, 1:, 2:-1])
f.case('center_crop', 'x |> center_crop(3, 2)', {'x': (1, 6, 5, 3)}, lambda x: x[:, 1:4, 1:3])
f.case('one_hot', 'y[n < 4] = mod(3 * n + 1, 5)\nx * one_hot(y)', {'x': (4, 5)},
       lambda x: x * F.one_hot((3 * torch.arange(4) + 1) % 5, 5))
f.case('cosine', 'cosine_similarity(a, b)', {'a': (3, 17), 'b': (3, 17)},
       lambda a, b: F.cosine_similarity(a, b, -1))
f.case('cosine_one', 'cosine_similarity(a, b)', {'a': (1, 2, 1), 'b': (1, 2, 1)},
       lambda a, b: F.cosine_similarity(a, b, -1))
f.case('embedding', 'y[n < 4] = mod(3 * n + 1, 5)\ny |> embedding(5, 3)',
       {'embedding#1.table': (5, 3)},
       lambda table: F.embedding((3 * torch.arange(4) + 1) % 5, table))

# ---- normalization

f = Family('normalization')
for end, x in [('', (5, 3)), ('_image', (2, 3, 5, 17)), ('_two', (2, 1, 1, 33)), ('_one', (1, 4, 3, 5))]:
    c = x[-1]
    f.case('batch_norm' + end, 'x |> batch_norm',
           {'x': x, 'batch_norm#1.gamma': (c,), 'batch_norm#1.beta': (c,)}, lambda x, g, b: hwc(
               F.batch_norm(chw(x), torch.zeros(len(g)), torch.ones(len(g)), g, b, True)))
for end, x in [('', (5, 7)), ('_deep', (2, 3, 33)), ('_one', (1, 5))]:
    c = x[-1]
    f.case('layer_norm' + end, 'x |> layer_norm',
           {'x': x, 'layer_norm#1.gamma': (c,), 'layer_norm#1.beta': (c,)},
           lambda x, g, b: F.layer_norm(x, g.shape, g, b))
f.case('layer_norm_bare', 'x |> layer_norm(bias = false)', {'x': (3, 17), 'layer_norm#1.gamma': (17,)},
       lambda x, g: F.layer_norm(x, g.shape, g))
for end, x in [('', (2, 3, 5, 17)), ('_row', (1, 4, 3))]:
    c = x[-1]
    f.case('instance_norm' + end, 'x |> instance_norm',
           {'x': x, 'instance_norm#1.gamma': (c,), 'instance_norm#1.beta': (c,)},
           lambda x, g, b: hwc(F.instance_norm(chw(x), weight=g, bias=b)))
for end, x, groups in [('', (2, 3, 5, 6), 3), ('_all', (1, 2, 3, 5), 1), ('_flat', (3, 34), 2)]:
    c = x[-1]
    f.case('group_norm' + end, f'x |> group_norm({groups})',
           {'x': x, 'group_norm#1.gamma': (c,), 'group_norm#1.beta': (c,)},
           lambda x, g, b: hwc(F.group_norm(chw(x), groups, g, b)))
f.case('weight_norm', 'v |> weight_norm', {'v': (3, 5, 17), 'weight_norm#1.g': (17,)},
       norm_weights)

# ---- attention

f = Family('attention')


def seen(rows, time, s, causal=False, lengths=None, mask=None):
    """What each place sees: [rows, 1 or heads, time, s]."""
    see = torch.ones(rows, 1, time, s, dtype=torch.bool)
    if causal:
        see = see.tril()
    if lengths is not None:
        see = see & (torch.arange(s) < lengths[:, None])[:, None, None]
    return see if mask is None else see & (mask > 0)


def attend(q, k, v, see):
    """By the formula; a place that sees nothing gets zeros, where PyTorch's module gives NaN."""
    z = torch.einsum('nthi,njhi->nhtj', q, k) / q.shape[-1]**0.5
    p = torch.where(see, torch.exp(z), torch.zeros(()))
    total = p.sum(-1, keepdim=True)
    return torch.einsum('nhtj,njhi->nthi', p / torch.where(total > 0, total, torch.ones(())), v)


def module_attention(x, memory, see, heads, wq, wk, wv, bq, bk, bv, wo, bo):
    """nn.MultiheadAttention's function. The weights are [in, out]; see: [rows, 1, time, s]."""
    rows, time, c = x.shape
    mask = ~see.expand(rows, heads, time, -1).reshape(rows * heads, time, -1)
    y, _ = F.multi_head_attention_forward(
        x.transpose(0, 1), memory.transpose(0, 1), memory.transpose(0, 1), c, heads, None,
        torch.cat([bq, bk, bv]), None, None, False, 0.0, wo.T, bo, attn_mask=mask,
        need_weights=False, use_separate_proj_weight=True, q_proj_weight=wq.T, k_proj_weight=wk.T,
        v_proj_weight=wv.T)
    return y.transpose(0, 1)


def self_attention(x, wqkv, wo, bqkv, bo, see):
    c, _, heads, _ = wqkv.shape
    return module_attention(x, x, see, heads, *wqkv.reshape(c, 3, c).unbind(1), *bqkv.chunk(3),
                            wo.reshape(c, c), bo)


def of_attention(at, c, heads, d, m=None):
    if m is None:
        return {f'{at}.wqkv': (c, 3, heads, d), f'{at}.wo': (heads, d, c),
                f'{at}.bqkv': (3 * heads * d,), f'{at}.bo': (c,)}
    return {f'{at}.wq': (c, heads, d), f'{at}.wkv': (m, 2, heads, d), f'{at}.wo': (heads, d, c),
            f'{at}.bq': (heads * d,), f'{at}.bkv': (2 * heads * d,), f'{at}.bo': (c,)}


LENGTHS = 'len[n < {rows}] = mod(2 * n + {start}, {s} + 1)'


def lengths_of(rows, start, s):
    return (2 * torch.arange(rows) + start) % (s + 1)


def mask_text(rows, heads, time, s, by_head):
    if by_head:
        return (f'see[n < {rows}, h < {heads}, t < {time}, j < {s}] = '
                'mod(n + 2 * h + 3 * t + 2 * j, 5) - 2')
    return f'see[t < {time}, j < {s}] = mod(3 * t + 2 * j, 5) - 2'


def mask_of(rows, heads, time, s, by_head=False):
    t, j = torch.arange(time)[:, None], torch.arange(s)
    if by_head:
        t = t + 2 * torch.arange(heads)[:, None, None] / 3 + torch.arange(rows)[:, None, None, None] / 3
    return (3 * t + 2 * j).round() % 5 - 2


for name, q, s, e, config, extra in [
        ('plain', (2, 5, 3, 4), 7, 2, '', ''), ('one', (1, 1, 1, 1), 1, 1, '', ''),
        ('causal', (1, 17, 3, 5), 17, 5, 'causal = true', ''),
        ('lengths', (3, 3, 1, 2), 5, 4, '', 'lengths'), ('mask', (2, 3, 2, 3), 4, 3, '', 'mask'),
        ('mask_of_heads', (2, 3, 2, 3), 4, 3, '', 'mask of heads'),
        ('all', (3, 4, 1, 3), 4, 3, 'causal = true', 'lengths mask')]:
    rows, time, heads, d = q
    body, given = '', ''
    if 'lengths' in extra:
        body, given = LENGTHS.format(rows=rows, start=3, s=s) + '\n', ', len'
    if 'mask' in extra:
        body += mask_text(rows, heads, time, s, 'heads' in extra) + '\n'
        given += ', mask = see'
    mask = mask_of(rows, heads, time, s, 'heads' in extra) if 'mask' in extra else None
    shapes = {'q': q, 'k': (rows, s, heads, d), 'v': (rows, s, heads, e)}
    lengths = lengths_of(rows, 3, s) if 'lengths' in extra else None
    f.case('attend_' + name, body + f'attend({config})(q, k, v{given})', shapes,
           lambda q, k, v: attend(q, k, v, seen(rows, time, s, 'causal' in config, lengths, mask)))

for name, x, heads, config, start in [
        ('', (2, 3, 6), 3, '', None), ('_one', (1, 1, 5), 1, '', None),
        ('_one_head', (2, 17, 5), 1, '', None), ('_causal', (1, 17, 9), 3, 'causal = true', None),
        ('_causal_one', (3, 1, 6), 3, 'causal = true', None),
        ('_lengths', (3, 3, 6), 3, '', 1), ('_causal_lengths', (2, 17, 3), 1, 'causal = true', 5)]:
    rows, time, c = x
    lengths = None if start is None else lengths_of(rows, start, time)
    body = '' if start is None else LENGTHS.format(rows=rows, start=start, s=time) + '\n'
    given = '' if start is None else ', len'
    f.case('attention' + name,
           body + f'attention({heads}{", " if config else ""}{config})(0.2 * x{given})',
           {'x': x, **of_attention('attention#1', c, heads, c // heads)},
           lambda x, *p: self_attention(0.2 * x, *p, seen(rows, time, time, 'causal' in config,
                                                          lengths)))


def by_hand(x, wqkv, wo, see, turn=lambda a: a):
    q, k, v = torch.einsum('nti,ishe->snthe', x, wqkv)
    return torch.einsum('nthe,hec->ntc', attend(turn(q), turn(k), v, see), wo)


f.case('attention_wide', 'attention(3, wide = true, bias = false)(0.2 * x)',
       {'x': (2, 4, 5), 'attention#1.wqkv': (5, 3, 3, 5), 'attention#1.wo': (3, 5, 5)},
       lambda x, w, o: by_hand(0.2 * x, w, o, seen(2, 4, 4)))
f.case('attention_mask',
       mask_text(2, 2, 4, 4, False) + '\nattention(2, bias = false)(0.2 * x, mask = see)',
       {'x': (2, 4, 6), 'attention#1.wqkv': (6, 3, 2, 3), 'attention#1.wo': (2, 3, 6)},
       lambda x, w, o: by_hand(0.2 * x, w, o, seen(2, 4, 4, mask=mask_of(2, 2, 4, 4))))


def turned(x, base=10000.0):
    """Su et al. 2021: pairs as complex numbers, times e^(i t theta)."""
    time, d = x.shape[1], x.shape[3]
    theta = base ** (-torch.arange(0, d, 2) / d)
    angle = torch.arange(time)[:, None] * theta
    z = torch.view_as_complex(x.reshape(*x.shape[:-1], d // 2, 2))
    z = z * torch.polar(torch.ones(()).expand_as(angle), angle)[:, None]
    return torch.view_as_real(z).reshape(x.shape)


f.case('attention_rotate', 'attention(2, causal = true, rotate = true, bias = false)(0.2 * x)',
       {'x': (2, 5, 8), 'attention#1.wqkv': (8, 3, 2, 4), 'attention#1.wo': (2, 4, 8)},
       lambda x, w, o: by_hand(0.2 * x, w, o, seen(2, 5, 5, True), turned))

for name, x, s, m, heads, start in [('', (2, 3, 6), 5, 6, 3, None), ('_one', (1, 1, 3), 1, 2, 1, None),
                                    ('_other_width', (1, 17, 6), 3, 5, 2, None),
                                    ('_lengths', (3, 2, 3), 17, 4, 1, 2)]:
    rows, time, c = x
    lengths = None if start is None else lengths_of(rows, start, s)
    body = '' if start is None else LENGTHS.format(rows=rows, start=start, s=s) + '\n'
    given = '' if start is None else ', len'
    f.case('cross_attention' + name, body + f'cross_attention({heads})(0.2 * x, 0.2 * y{given})',
           {'x': x, 'y': (rows, s, m), **of_attention('cross_attention#1', c, heads, c // heads, m)},
           lambda x, y, wq, wkv, wo, bq, bkv, bo: module_attention(
               0.2 * x, 0.2 * y, seen(rows, time, s, lengths=lengths), heads, wq.reshape(c, c),
               *wkv.reshape(m, 2, c).unbind(1), bq, *bkv.chunk(2), wo.reshape(c, c), bo))
f.case('cross_attention_wide', 'cross_attention(2, wide = true, bias = false)(0.2 * x, 0.2 * y)',
       {'x': (2, 3, 5), 'y': (2, 4, 3), 'cross_attention#1.wq': (5, 2, 5),
        'cross_attention#1.wkv': (3, 2, 2, 5), 'cross_attention#1.wo': (2, 5, 5)},
       lambda x, y, wq, wkv, wo: torch.einsum('nthe,hec->ntc', attend(
           torch.einsum('nti,ihe->nthe', 0.2 * x, wq),
           *torch.einsum('nti,ishe->snthe', 0.2 * y, wkv), seen(2, 3, 4)), wo))
f.case('cross_attention_mask', mask_text(2, 1, 3, 4, True) +
       '\ncross_attention(1, bias = false)(0.2 * x, 0.2 * y, mask = see)',
       {'x': (2, 3, 2), 'y': (2, 4, 3), 'cross_attention#1.wq': (2, 1, 2),
        'cross_attention#1.wkv': (3, 2, 1, 2), 'cross_attention#1.wo': (1, 2, 2)},
       lambda x, y, wq, wkv, wo: torch.einsum('nthe,hec->ntc', attend(
           torch.einsum('nti,ihe->nthe', 0.2 * x, wq),
           *torch.einsum('nti,ishe->snthe', 0.2 * y, wkv), seen(2, 3, 4, mask=mask_of(2, 1, 3, 4, True))), wo))
f.case('softmax_of_seen', 'z[n < 3, i < 5] = if x[n, i] > n - 1 then x[n, i] else -inf\n'
       'softmax_of_seen(z) + softmax_of_seen(z - inf)', {'x': (3, 5)},
       lambda x: torch.where(x > torch.arange(3)[:, None] - 1, x.exp(), torch.zeros(())) /
       torch.where(x > torch.arange(3)[:, None] - 1, x.exp(), torch.zeros(())).sum(-1, keepdim=True))

# ---- recurrent

f = Family('recurrent', scale=0.5)
MODULES = {'rnn': (torch.nn.RNN, 1), 'gru': (torch.nn.GRU, 3), 'lstm': (torch.nn.LSTM, 4)}


def of_cell(kind, at, n, units, bias):
    gates = MODULES[kind][1]
    middle = () if gates == 1 else (gates,)
    shapes = {at + 'wx': (n, *middle, units), at + 'wh': (units, *middle, units)}
    if bias:
        shapes[at + 'b'] = (*middle, units)
        if kind == 'gru':
            shapes[at + 'bh'] = (units,)
    return shapes


def module_weights(kind, p, end):
    """One cell's parameters as the module has them: gates side by side, turned, two biases."""
    gates = MODULES[kind][1]
    wx, wh, *b = p
    given = {'weight_ih_' + end: wx.flatten(1).T, 'weight_hh_' + end: wh.flatten(1).T}
    if b:
        units = wh.shape[0]
        more = torch.zeros(gates * units)
        if kind == 'gru':
            more = torch.cat([torch.zeros(2 * units), b[1]])
        given.update({'bias_ih_' + end: b[0].flatten(), 'bias_hh_' + end: more})
    return given


def module_walk(kind, x, states, cells, units, layers, ways, bias, act, lengths):
    """y and the last states, [batch, layers * ways * units], by the module."""
    more = {'nonlinearity': act} if kind == 'rnn' else {}
    rows, time, _ = x.shape
    module = MODULES[kind][0](x.shape[-1], units, layers, bias=bias, bidirectional=ways == 2,
                              batch_first=True, **more)
    given = {}
    for i, p in enumerate(cells):
        given.update(module_weights(kind, p, f'l{i // ways}' + ('_reverse' if i % ways else '')))

    def in_front(h):
        return h.reshape(rows, layers * ways, units).transpose(0, 1).contiguous()
    first = [in_front(h) for h in states]
    first = None if not first else tuple(first) if kind == 'lstm' else first[0]
    if lengths is not None:
        x = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, True, enforce_sorted=False)
    module._flat_weights = [given[name] for name in module._flat_weights_names]
    y, last = module(x, first)
    if lengths is not None:
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, True, total_length=time)
    last = last if kind == 'lstm' else (last,)
    return [y] + [h.transpose(0, 1).flatten(1) for h in last]


def recurrent_case(name, kind, shape, units, layers=1, ways=1, bias=True, act='tanh', given=False,
                   start=None):
    """`given`: first states are parameters; `start`: row n has 1 + (2 n + start) % time steps."""
    rows, time, n = shape
    cells = [of_cell(kind, f'{kind}#1.{kind}_cell#{i + 1}.', n if i < ways else units * ways, units,
                     bias) for i in range(layers * ways)]
    states = ['h', 'c'][:2 if kind == 'lstm' else 1] if given else []
    shapes = {'x': shape, **{h: (rows, layers * ways * units) for h in states}}
    for cell in cells:
        shapes.update(cell)
    lengths = None if start is None else 1 + lengths_of(rows, start, time - 1)
    config = ''.join([f', layers = {layers}'] * (layers > 1) + [', bidirectional = true'] * (ways > 1) +
                     [', bias = false'] * (not bias) + [f', act = {act}'] * (act != 'tanh'))
    args = ''.join(f', {h}' for h in states) + (', lengths = len' if start is not None else '')
    body = '' if start is None else f'len[n < {rows}] = 1 + mod(2 * n + {start}, {time})\n'
    names = ['y', 'a', 'e'][:3 if kind == 'lstm' else 2]
    # All results in one tensor.
    body += f'{", ".join(names)} = {kind}({units}{config})(x{args})\n'
    body += 'v[n, (...)] = y[n, ...]\n'
    both = 'v'
    for end in names[1:]:
        both = f'concat({both}, {end})'
    body += both
    sizes = [len(cell) for cell in cells]

    def value(x, *p):
        first, p = p[:len(states)], list(p[len(states):])
        of = [[p.pop(0) for _ in range(k)] for k in sizes]
        all = module_walk(kind, x, first, of, units, layers, ways, bias, act, lengths)
        return torch.cat([all[0].flatten(1), *all[1:]], 1)
    f.case(f'{kind}_{name}', body, shapes, value)


for kind in MODULES:
    recurrent_case('one', kind, (1, 1, 1), 1)
    recurrent_case('step', kind, (3, 1, 5), 16)
    recurrent_case('steps', kind, (1, 17, 3), 5, given=True)
    recurrent_case('rows', kind, (17, 3, 1), 16)
    recurrent_case('bare', kind, (3, 3, 2), 5, bias=False)
    recurrent_case('layers', kind, (3, 3, 5), 16, layers=2, given=True)
    recurrent_case('both', kind, (3, 17, 2), 5, ways=2)
    recurrent_case('layers_both', kind, (2, 3, 5), 5, layers=2, ways=2, given=True)
    recurrent_case('lengths', kind, (5, 4, 3), 5, start=1)
    recurrent_case('layers_both_lengths', kind, (3, 5, 2), 3, layers=2, ways=2, given=True, start=3)
recurrent_case('relu', 'rnn', (3, 4, 5), 5, act='relu')

# ---- positions

f = Family('positions')
for time, limit, c in [(1, 1, 1), (3, 5, 4), (17, 17, 3)]:
    f.case(f'learned_{time}', f'x |> learned_positions({limit})',
           {'x': (2, time, c), 'learned_positions#1.table': (limit, c)},
           lambda x, table: x + table[:time])
for time, c, base in [(1, 1, 10000), (3, 5, 10000), (17, 6, 100)]:
    at = torch.arange(time)[:, None] / base**(torch.arange(c) // 2 * 2 / c)
    f.case(f'sinusoidal_{time}', f'x |> sinusoidal_positions({base})', {'x': (2, time, c)},
           lambda x: x + torch.where(torch.arange(c) % 2 == 0, at.sin(), at.cos()))
for shape, base in [((1, 1, 1, 2), 10000), ((2, 3, 3, 4), 10000), ((1, 17, 1, 6), 100)]:
    f.case(f'rotary_{shape[1]}', f'x |> rotary({base})', {'x': shape}, lambda x: turned(x, base))

# ---- transformer

f = Family('transformer', scale=0.25)


def of_norm(at, c):
    return {f'{at}.gamma': (c,), f'{at}.beta': (c,)}


def of_forward(at, c, width):
    return {f'{at}.dense#1.w': (c, width), f'{at}.dense#1.b': (width,),
            f'{at}.dense#2.w': (width, c), f'{at}.dense#2.b': (c,)}


def self_weights(wqkv, wo, bqkv, bo, at='self_attn'):
    c = len(bo)
    return {f'{at}.in_proj_weight': wqkv.reshape(c, 3 * c).T, f'{at}.in_proj_bias': bqkv,
            f'{at}.out_proj.weight': wo.reshape(c, c).T, f'{at}.out_proj.bias': bo}


def cross_weights(wq, wkv, wo, bq, bkv, bo, at='multihead_attn'):
    c = len(bo)
    return {f'{at}.in_proj_weight': torch.cat([wq.reshape(c, c), wkv.reshape(c, 2 * c)], 1).T,
            f'{at}.in_proj_bias': torch.cat([bq, bkv]), f'{at}.out_proj.weight': wo.reshape(c, c).T,
            f'{at}.out_proj.bias': bo}


def norm_weights_of(i, gamma, beta):
    return {f'norm{i}.weight': gamma, f'norm{i}.bias': beta}


def forward_weights(w1, b1, w2, b2):
    return {'linear1.weight': w1.T, 'linear1.bias': b1, 'linear2.weight': w2.T, 'linear2.bias': b2}


def module(kind, c, heads, width, act, weights, *inputs, **how):
    layer = kind(c, heads, width, 0.0, act, batch_first=True, norm_first=True)
    assert sorted(weights) == sorted(name for name, _ in layer.named_parameters())
    return torch.nn.utils.stateless.functional_call(layer, weights, inputs, how)


f.case('feed_forward', 'x |> feed_forward(7)',
       {'x': (2, 3, 5), **of_forward('feed_forward#1', 5, 7)},
       lambda x, w1, b1, w2, b2: F.gelu(x @ w1 + b1) @ w2 + b2)
f.case('feed_forward_relu', 'x |> feed_forward(3, relu, bias = false)',
       {'x': (4, 5), 'feed_forward#1.dense#1.w': (5, 3), 'feed_forward#1.dense#2.w': (3, 5)},
       lambda x, w1, w2: F.relu(x @ w1) @ w2)
for name, x, heads, config, width, start in [
        ('', (2, 3, 6), 3, '', 24, None), ('_one', (1, 1, 3), 1, 'width = 5', 5, None),
        ('_causal', (1, 17, 6), 3, 'causal = true', 24, None),
        ('_lengths', (3, 3, 4), 1, 'act = relu', 16, 1)]:
    rows, time, c = x
    at = 'encoder_block#1.'
    lengths = None if start is None else lengths_of(rows, start, time)
    body = '' if start is None else LENGTHS.format(rows=rows, start=start, s=time) + '\n'
    given = '' if start is None else ', len'

    def block(x, g1, b1, wqkv, wo, bqkv, bo, g2, b2, *forward):
        see = seen(rows, time, time, 'causal' in config, lengths)
        mask = ~see.expand(rows, heads, time, time).reshape(rows * heads, time, time)
        return module(torch.nn.TransformerEncoderLayer, c, heads, width,
                      'relu' if 'relu' in config else 'gelu',
                      {**norm_weights_of(1, g1, b1), **self_weights(wqkv, wo, bqkv, bo),
                       **norm_weights_of(2, g2, b2), **forward_weights(*forward)},
                      x, src_mask=mask)
    f.case('encoder_block' + name,
           body + f'encoder_block({heads}{", " if config else ""}{config})(x{given})',
           {'x': x, **of_norm(at + 'layer_norm#1', c),
            **of_attention(at + 'attention#1', c, heads, c // heads),
            **of_norm(at + 'layer_norm#2', c), **of_forward(at + 'feed_forward#1', c, width)}, block)
for name, x, s, heads, start in [('', (2, 3, 6), 5, 3, None), ('_one', (1, 1, 3), 1, 1, None),
                                 ('_lengths', (3, 2, 4), 17, 2, 2)]:
    rows, time, c = x
    at = 'decoder_block#1.'
    lengths = None if start is None else lengths_of(rows, start, s)
    body = '' if start is None else LENGTHS.format(rows=rows, start=start, s=s) + '\n'
    given = '' if start is None else ', len'

    def block(x, y, g1, b1, wqkv, wo, bqkv, bo, g2, b2, wq, wkv, wco, bq, bkv, bco, g3, b3,
              *forward):
        see = seen(rows, time, s, lengths=lengths)
        mask = ~see.expand(rows, heads, time, s).reshape(rows * heads, time, s)
        return module(torch.nn.TransformerDecoderLayer, c, heads, 4 * c, 'gelu',
                      {**norm_weights_of(1, g1, b1), **self_weights(wqkv, wo, bqkv, bo),
                       **norm_weights_of(2, g2, b2), **cross_weights(wq, wkv, wco, bq, bkv, bco),
                       **norm_weights_of(3, g3, b3), **forward_weights(*forward)},
                      x, y, tgt_mask=torch.ones(time, time, dtype=torch.bool).triu(1),
                      memory_mask=mask)
    f.case('decoder_block' + name, body + f'decoder_block({heads})(x, y{given})',
           {'x': x, 'y': (rows, s, c), **of_norm(at + 'layer_norm#1', c),
            **of_attention(at + 'attention#1', c, heads, c // heads),
            **of_norm(at + 'layer_norm#2', c),
            **of_attention(at + 'cross_attention#1', c, heads, c // heads, c),
            **of_norm(at + 'layer_norm#3', c), **of_forward(at + 'feed_forward#1', c, 4 * c)}, block)
f.case('decoder_alone', 'decoder_block(2, bias = false)(x)',
       {'x': (2, 3, 4), 'decoder_block#1.layer_norm#1.gamma': (4,),
        'decoder_block#1.attention#1.wqkv': (4, 3, 2, 2), 'decoder_block#1.attention#1.wo': (2, 2, 4),
        'decoder_block#1.layer_norm#2.gamma': (4,), 'decoder_block#1.feed_forward#1.dense#1.w': (4, 16),
        'decoder_block#1.feed_forward#1.dense#2.w': (16, 4)},
       lambda x, g1, wqkv, wo, g2, w1, w2: (
           lambda x: x + F.gelu(F.layer_norm(x, (4,), g2) @ w1) @ w2)(
               x + by_hand(F.layer_norm(x, (4,), g1), wqkv, wo, seen(2, 3, 3, True))))
f.case('tied', 'y[n < 2, t < 3] = mod(3 * n + 4 * t + 1, 5)\ne = embedding(5, 3)\n'
       '(e(y) |> layer_norm) @ transpose(e.table)',
       {'e.table': (5, 3), 'layer_norm#1.gamma': (3,), 'layer_norm#1.beta': (3,)},
       lambda table, g, b: F.layer_norm(F.embedding(
           (3 * torch.arange(2)[:, None] + 4 * torch.arange(3) + 1) % 5, table), (3,), g, b) @ table.T)

# ---- losses

f = Family('losses')
two = {'y': (3, 5), 't': (3, 5)}
f.case('squared_error', 'squared_error(y, t)', two, F.mse_loss)
f.case('squared_error_sum', 'squared_error_sum(y, t)', two, lambda y, t: F.mse_loss(y, t, reduction='sum'))
f.case('half_squared_error', 'half_squared_error(y, t)', two, lambda y, t: 0.5 * ((y - t)**2).sum() / 3)
f.case('half_squared_error_image', 'half_squared_error(y, t)', {'y': (2, 3, 1, 5), 't': (2, 3, 1, 5)},
       lambda y, t: 0.5 * ((y - t)**2).sum() / 2)
f.case('absolute_error', 'absolute_error(y, t)', two, F.l1_loss)
f.case('huber', 'huber(y, t)', two, F.huber_loss)
f.case('huber_delta', 'huber(y, t, delta = 0.4)', {'y': (17,), 't': (17,)},
       lambda y, t: F.huber_loss(y, t, delta=0.4))
f.case('gaussian_nll', 'gaussian_nll(y, exp(v), t)', {**two, 'v': (3, 5)},
       lambda y, t, v: F.gaussian_nll_loss(y, t, torch.exp(v)))


def glove(y):
    n = (37 * torch.arange(3)[:, None] + 11 * torch.arange(17)) % 150
    return ((n / 100).clamp(max=1)**0.75 * (y - torch.log(n.clamp(min=1)))**2).sum()


f.case('glove', 'n[i < 3, j < 17] = mod(37 * i + 11 * j, 150)\nglove_loss(y, n)', {'y': (3, 17)},
       glove)
p = torch.sigmoid
f.case('bce', 'binary_cross_entropy(z, sigmoid(t))', {'z': (3, 5), 't': (3, 5)},
       lambda z, t: F.binary_cross_entropy_with_logits(z, p(t)))
f.case('bce_weighted', 'binary_cross_entropy(z, sigmoid(t), positive = 3)', {'z': (17,), 't': (17,)},
       lambda z, t: F.binary_cross_entropy_with_logits(z, p(t), pos_weight=torch.tensor(3.)))
f.case('bce_both', 'binary_cross_entropy(z, sigmoid(t), positive = 3, negative = 0.5)',
       {'z': (17,), 't': (17,)}, lambda z, t:
       0.5 * F.binary_cross_entropy_with_logits(z, p(t), pos_weight=torch.tensor(6.)))
f.case('bce_p', 'binary_cross_entropy_p(sigmoid(z), sigmoid(t))', {'z': (3, 5), 't': (3, 5)},
       lambda z, t: F.binary_cross_entropy(p(z), p(t)))
f.case('bce_p_weighted', 'binary_cross_entropy_p(sigmoid(z), sigmoid(t), positive = 3)',
       {'z': (3, 5), 't': (3, 5)}, lambda z, t:
       (-3 * p(t) * torch.log(p(z)) - (1 - p(t)) * torch.log(1 - p(z))).mean())

label = (3 * torch.arange(7) + 1) % 5
y7 = 'y[n < 7] = mod(3 * n + 1, 5)\n'
logits = {'z': (7, 5)}
weights = torch.tensor([1, 2, 0.5, 0, 3])
for end, text, how in [
        ('', '', {}), ('_smooth', ', smoothing = 0.1', {'label_smoothing': 0.1}),
        ('_weighted', ', weight = [1, 2, 0.5, 0, 3]', {'weight': weights}),
        ('_void', ', void = 2', {'ignore_index': 2}),
        ('_all', ', smoothing = 0.2, weight = [1, 2, 0.5, 0, 3], void = 4',
         {'label_smoothing': 0.2, 'weight': weights, 'ignore_index': 4}),
        ('_void_smooth', ', smoothing = 0.2, void = 4',
         {'label_smoothing': 0.2, 'ignore_index': 4})]:
    f.case('cross_entropy' + end, y7 + f'cross_entropy(z, y{text})', logits,
           lambda z: F.cross_entropy(z, label, **how))
f.case('cross_entropy_no_logit', y7 + 'cross_entropy(z, y, void = 4)', {'z': (7, 4)},
       lambda z: F.cross_entropy(z, label, ignore_index=4))
f.case('cross_entropy_image', 'y[n < 2, i < 3, j < 2] = mod(n + 3 * i + j, 3)\n'
       'cross_entropy(z, y, void = 1)', {'z': (2, 3, 2, 3)},
       lambda z: F.cross_entropy(chw(z), (torch.arange(2)[:, None, None] + 3 * torch.arange(3)[:, None]
                                          + torch.arange(2)) % 3, ignore_index=1))
f.case('soft_cross_entropy', 'soft_cross_entropy(z, softmax(t))', {'z': (3, 17), 't': (3, 17)},
       lambda z, t: F.cross_entropy(z, F.softmax(t, -1)))
f.case('soft_cross_entropy_weighted',
       'soft_cross_entropy(z, softmax(t), weight = [1, 2, 0.5, 0, 3])', {'z': (3, 5), 't': (3, 5)},
       lambda z, t: F.cross_entropy(z, F.softmax(t, -1), weight=weights))
f.case('hinge', y7 + 'hinge(z, y)', logits, lambda z: 5 * F.multi_margin_loss(z, label))
f.case('hinge_margin', y7 + 'hinge(z, y, margin = 0.3)', logits,
       lambda z: 5 * F.multi_margin_loss(z, label, margin=0.3))
f.case('kl_divergence', 'kl_divergence(z, softmax(t))', {'z': (3, 17), 't': (3, 17)},
       lambda z, t: F.kl_div(F.log_softmax(z, -1), F.softmax(t, -1), reduction='batchmean'))
pair = {'a': (7, 5), 'b': (7, 5)}
same = torch.where(torch.arange(7) % 3 == 0, 1, -1)
same7 = 's[n < 7] = if mod(n, 3) == 0 then 1 else -1\n'
f.case('cosine_embedding', same7 + 'cosine_embedding(a, b, s)', pair,
       lambda a, b: F.cosine_embedding_loss(a, b, same))
f.case('cosine_embedding_margin', same7 + 'cosine_embedding(a, b, s, margin = 0.2)', pair,
       lambda a, b: F.cosine_embedding_loss(a, b, same, margin=0.2))


def contrastive(a, b):
    d = ((a - b)**2).sum(-1).sqrt()
    return (torch.where(same > 0, d**2, torch.relu(3 - d)**2) / 2).mean()


f.case('contrastive', same7 + 'contrastive(a, b, s, margin = 3)', pair, contrastive)
many = {'a': (3, 5), 'b': (2, 3, 3)}
f.case('l1', 'l1([a, b])', many, lambda a, b: a.abs().sum() + b.abs().sum())
f.case('l2', 'l2([a, b])', many, lambda a, b: (a**2).sum() + (b**2).sum())
f.case('l_infinity', 'l_infinity([a, b])', many,
       lambda a, b: torch.linalg.norm(a.T, float('inf'))
       + torch.linalg.norm(b.reshape(6, 3).T, float('inf')))

# ---- what training does: twenty steps of each optimizer, and each schedule, four epochs of five


f = Training('optimizers')
optim, lrs = torch.optim, torch.optim.lr_scheduler
f.torch('sgd', 'sgd(lr = 0.1)', lambda w: optim.SGD(w, 0.1))
f.torch('momentum', 'momentum(lr = 0.05)', lambda w: optim.SGD(w, 0.05, momentum=0.9))
f.torch('heavy_ball', 'heavy_ball(lr = 0.05)', lambda w: optim.SGD(w, 0.05, momentum=0.9))
f.torch('nesterov', 'nesterov(lr = 0.05)', lambda w: optim.SGD(w, 0.05, 0.9, nesterov=True))
f.torch('adagrad', 'adagrad(lr = 0.1)', lambda w: optim.Adagrad(w, 0.1))
f.torch('rmsprop', 'rmsprop(lr = 0.01)', lambda w: optim.RMSprop(w, 0.01, alpha=0.9))
f.torch('adam', 'adam(lr = 0.05)', lambda w: optim.Adam(w, 0.05))
f.torch('adam_eps', 'adam(lr = 0.05, beta1 = 0.8, beta2 = 0.95, eps = 1e-2)',
        lambda w: optim.Adam(w, 0.05, betas=(0.8, 0.95), eps=1e-2))
f.torch('adamw', 'adamw(lr = 0.05, decay = 0.1)', lambda w: optim.AdamW(w, 0.05, weight_decay=0.1))


def heavy_ball(w, g, t, s):
    s['v'] = 0.9 * s.get('v', 0) - 0.1 / t * g
    return w + s['v']


def mean_momentum(w, g, t, s):
    s['v'] = 0.9 * s.get('v', 0) + 0.1 * g
    return w - 0.2 * s['v']


def rmsprop_inside(w, g, t, s):
    s['s'] = 0.9 * s.get('s', 0) + 0.1 * g**2
    return w - 0.01 * g / torch.sqrt(s['s'] + 1e-3)


def adam_uncorrected(w, g, t, s):
    s['m'] = 0.9 * s.get('m', 0) + 0.1 * g
    s['v'] = 0.999 * s.get('v', 0) + 0.001 * g**2
    return w - 0.01 * s['m'] / (torch.sqrt(s['v']) + 1e-8)


f.own('heavy_ball_changing', 'heavy_ball(lr = 0.1 / step)', heavy_ball)
f.own('mean_momentum', 'mean_momentum(lr = 0.2)', mean_momentum)
f.own('rmsprop_inside', 'rmsprop(lr = 0.01, eps = 1e-3, inside = true)', rmsprop_inside)
f.own('adam_uncorrected', 'adam(lr = 0.01, correct = false)', adam_uncorrected)

for name, text, schedule, every_step in [
        ('inverse_decay', 'inverse_decay(0.1, epoch, rate = 0.5)',
         lambda o: lrs.LambdaLR(o, lambda e: 1 / (1 + 0.5 * e)), False),
        ('step_decay', 'step_decay(0.1, epoch, every = 2, by = 0.3)',
         lambda o: lrs.StepLR(o, 2, 0.3), False),
        ('exponential_decay', 'exponential_decay(0.1, epoch, by = 0.7)',
         lambda o: lrs.ExponentialLR(o, 0.7), False),
        ('sqrt_decay', 'sqrt_decay(0.1, epoch)',
         lambda o: lrs.LambdaLR(o, lambda e: (1 + e)**-0.5), False),
        ('cosine_decay', 'cosine_decay(0.1, step, steps, low = 0.01)',
         lambda o: lrs.CosineAnnealingLR(o, 20, 0.01), True),
        ('warmup', 'warmup(0.1, step, over = 8)',
         lambda o: lrs.LambdaLR(o, lambda t: min(t / 8, 1)), True),
        ('cyclic', 'cyclic(0.01, 0.1, step, period = 8)',
         lambda o: lrs.CyclicLR(o, 0.01, 0.1, step_size_up=4, cycle_momentum=False), True)]:
    f.torch(name, f'sgd(lr = {text})', lambda w: optim.SGD(w, 0.1), schedule, every_step)

# ---- running statistics, and what noise is when nothing is trained


f = Running('running')
bn = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm2d(5, eps=1e-3, momentum=0.3)
f.layers = [('row', ['param x: [4, 3] = 0', 'return one * check()(x |> batch_norm)']),
            ('image', ['param x: [2, 3, 1, 5] = 0',
                       'return one * check()(x |> batch_norm(momentum = 0.7, eps = 1e-3))']),
            ('noise', ['param x: [3, 5] = 0', 'y = x |> dropout |> gaussian_noise(0.2)',
                       'return one * check()(y |> dropout_scaled(30%))'])]
x, image, noise = (fill('row#1.x', (4, 3)), fill('image#1.x', (2, 3, 1, 5)), fill('noise#1.x', (3, 5)))
with torch.no_grad():
    for module, name, c in zip(bn, ('row', 'image'), (3, 5)):
        module.weight[:] = fill(f'{name}#1.batch_norm#1.gamma', (c,))
        module.bias[:] = fill(f'{name}#1.batch_norm#1.beta', (c,))
    for t in range(1, 6):
        for module, name, inputs in zip(bn, ('row', 'image'), (x, chw(image))):
            module.train()(inputs)
            f.figures[f'{name}#1.batch_norm#1.mean@{t}'] = module.running_mean.clone()
            f.figures[f'{name}#1.batch_norm#1.var@{t}'] = module.running_var.clone()
        ys = [('row', bn[0].eval()(x)), ('image', hwc(bn[1].eval()(chw(image)))),
              ('noise', 0.7 * noise)]
        f.figures[f'eval@{t}'] = sum((y * fill(f'{name}#1.check#1.g', tuple(y.shape))).sum()
                                     for name, y in ys)

for family in families.values():
    family.write()
