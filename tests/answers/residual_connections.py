"""Right answers to residual_connections, written from the stubs alone, each in another way: other algebra, loops, other NumPy."""
import numpy as np

from class4lib.basics import affine, affine_backward, relu, relu_backward


def residual_gradient__loops(dy, branch_jacobian):
    n = len(dy)
    out = []
    for j in range(n):
        total = 0.0
        for i in range(n):
            total += dy[i] * ((1.0 if i == j else 0.0) + branch_jacobian[i, j])
        out.append(total)
    return out


def residual_gradient__row_vector(dy, branch_jacobian):
    return dy @ (np.identity(dy.size) + branch_jacobian)


def residual_gradient__einsum(dy, branch_jacobian):
    return np.einsum("i,ij->j", dy, branch_jacobian) + dy


def residual_block__basics(x, W1, b1, W2, b2):
    return np.add(x, affine(relu(affine(x, W1, b1)), W2, b2))


def residual_block__loops(x, W1, b1, W2, b2):
    out = np.zeros(np.shape(x))
    for n in range(len(x)):
        hidden = [max(0.0, sum(x[n, d] * W1[d, h] for d in range(len(W1))) + b1[h]) for h in range(len(b1))]
        for m in range(len(b2)):
            out[n, m] = x[n, m] + b2[m] + sum(hidden[h] * W2[h, m] for h in range(len(hidden)))
    return out


def residual_block__one_matrix(x, W1, b1, W2, b2):
    # [x, h] @ [[I], [W2]]: the skip as part of the second layer
    h = np.where((z := np.einsum("nd,dh->nh", x, W1) + b1) > 0, z, 0)
    return np.hstack([x, h]) @ np.vstack([np.eye(W2.shape[1]), W2]) + b2


def residual_block_backward__basics(dy, x, W1, b1, W2, b2):
    z = affine(x, W1, b1)
    dh, dW2, db2 = affine_backward(dy, relu(z), W2)
    dx, dW1, db1 = affine_backward(relu_backward(dh, z), x, W1)
    return [dx + dy, dW1, db1, dW2, db2]


def residual_block_backward__example_by_example(dy, x, W1, b1, W2, b2):
    dx, dW1, db1 = np.array(dy, dtype=float), np.zeros(W1.shape), np.zeros(b1.shape)
    dW2, db2 = np.zeros(W2.shape), np.zeros(b2.shape)
    for n in range(x.shape[0]):
        z = x[n] @ W1 + b1
        on = np.array([1.0 if v > 0 else 0.0 for v in z])
        d = on * (W2 @ dy[n])
        dW2 += np.outer(z * on, dy[n])
        db2 += dy[n]
        dW1 += np.outer(x[n], d)
        db1 += d
        dx[n] += W1 @ d
    return dx, dW1, db1, dW2, db2


def residual_block_backward__einsum(dy, x, W1, b1, W2, b2):
    z = np.einsum("nd,dh->nh", x, W1) + b1
    h = z.clip(0)
    dz = np.einsum("nm,hm->nh", dy, W2)
    dz[z <= 0] = 0
    ones = np.ones(len(x))
    return np.einsum("nh,dh->nd", dz, W1) + dy, np.einsum("nd,nh->dh", x, dz), ones @ dz, np.einsum("nh,nm->hm", h, dy), ones @ dy


def residual_block_backward__jacobians(dy, x, W1, b1, W2, b2):
    # dx by the Jacobian of each example's branch
    dx = []
    for row, above in zip(x, dy):
        J = (W1 * np.heaviside(row @ W1 + b1, 0)) @ W2  # [input, output]
        dx.append(residual_gradient(above, J.T))
    h = np.maximum(0, x @ W1 + b1)
    dz = dy @ W2.T * np.sign(h)
    return np.array(dx), x.T @ dz, np.sum(dz, 0), h.T @ dy, np.sum(dy, 0)


def residual_stack_jacobian__product(branch_jacobians):
    eye = np.eye(branch_jacobians.shape[-1])
    total = eye
    for k in range(len(branch_jacobians) - 1, -1, -1):
        total = total @ (eye + branch_jacobians[k])
    return total


def residual_stack_jacobian__column_by_column(branch_jacobians):
    size = branch_jacobians.shape[1]
    columns = []
    for j in range(size):
        v = np.zeros(size)
        v[j] = 1.0
        for J in branch_jacobians:
            v = v + J @ v
        columns.append(v)
    return np.stack(columns, axis=1)


def residual_stack_jacobian__backwards(branch_jacobians):
    rows = []
    for dy in np.eye(branch_jacobians.shape[1]):
        for J in branch_jacobians[::-1]:
            dy = residual_gradient(dy, J)
        rows.append(dy)
    return rows


def residual_stack_jacobian__reduce(branch_jacobians):
    from functools import reduce

    return reduce(lambda total, J: (np.eye(len(J)) + J).dot(total), branch_jacobians[1:], np.eye(branch_jacobians.shape[1]) + branch_jacobians[0])


def post_activation_block__uses_the_clean_block(x, W1, b1, W2, b2):
    s = residual_block(x, W1, b1, W2, b2)
    return s * (s > 0)


def post_activation_block__basics(x, W1, b1, W2, b2):
    return relu(x + affine(relu(affine(x, W1, b1)), W2, b2))


def post_activation_block__absolute(x, W1, b1, W2, b2):
    z = x @ W1 + b1
    s = x + (z + abs(z)) / 2 @ W2 + b2
    return (s + abs(s)) / 2


def post_activation_block_backward__uses_the_clean_block(dy, x, W1, b1, W2, b2):
    return residual_block_backward(np.where(residual_block(x, W1, b1, W2, b2) > 0, dy, 0.0), x, W1, b1, W2, b2)


def post_activation_block_backward__by_hand(dy, x, W1, b1, W2, b2):
    z = x @ W1 + b1
    h = np.maximum(z, 0)
    s = x + h @ W2 + b2
    ds = dy.copy()
    ds[s <= 0] = 0
    dh = ds @ W2.T
    dh[z <= 0] = 0
    return dh @ W1.T + ds, x.T @ dh, dh.sum(0), h.T @ ds, ds.sum(0)


def post_activation_block_backward__basics(dy, x, W1, b1, W2, b2):
    z = affine(x, W1, b1)
    ds = relu_backward(dy, x + affine(relu(z), W2, b2))
    dh, dW2, db2 = affine_backward(ds, relu(z), W2)
    dx, dW1, db1 = affine_backward(relu_backward(dh, z), x, W1)
    return dx + ds, dW1, db1, dW2, db2


def projection_block__basics(x, W1, b1, W2, b2, W_skip):
    return affine(relu(affine(x, W1, b1)), W2, b2) + np.dot(x, W_skip)


def projection_block__one_matrix(x, W1, b1, W2, b2, W_skip):
    return np.hstack([x, np.fmax(x @ W1 + b1, 0), np.ones((len(x), 1))]) @ np.vstack([W_skip, W2, b2])


def projection_block__loops(x, W1, b1, W2, b2, W_skip):
    rows = []
    for row in x:
        z = [sum(a * w for a, w in zip(row, column)) + b for column, b in zip(W1.T, b1)]
        rows.append(row @ W_skip + sum((max(v, 0) * w for v, w in zip(z, W2)), start=b2))
    return rows


def projection_block_backward__basics(dy, x, W1, b1, W2, b2, W_skip):
    z = affine(x, W1, b1)
    dh, dW2, db2 = affine_backward(dy, relu(z), W2)
    dx, dW1, db1 = affine_backward(relu_backward(dh, z), x, W1)
    skip, dW_skip, _ = affine_backward(dy, x, W_skip)
    return dx + skip, dW1, db1, dW2, db2, dW_skip


def projection_block_backward__einsum(dy, x, W1, b1, W2, b2, W_skip):
    z = x @ W1 + b1
    on = (z > 0).astype(float)
    dz = np.einsum("nm,hm,nh->nh", dy, W2, on)
    dx = np.einsum("nh,dh->nd", dz, W1) + np.einsum("nm,dm->nd", dy, W_skip)
    return dx, np.einsum("nd,nh->dh", x, dz), dz.sum(0), np.einsum("nh,nm->hm", z * on, dy), dy.sum(0), np.einsum("nd,nm->dm", x, dy)


def projection_block_backward__example_by_example(dy, x, W1, b1, W2, b2, W_skip):
    grads = [np.zeros(x.shape), *(np.zeros(a.shape) for a in (W1, b1, W2, b2, W_skip))]
    for n, (row, above) in enumerate(zip(x, dy)):
        z = row @ W1 + b1
        d = np.where(z > 0, W2 @ above, 0.0)
        grads[0][n] = W_skip @ above + W1 @ d
        for total, part in zip(grads[1:], (np.outer(row, d), d, np.outer(np.maximum(z, 0), above), above, np.outer(row, above))):
            total += part
    return tuple(grads)


def residual_stack_in_torch__zip(x, W1, b1, W2, b2):
    import torch

    scale = 1 / torch.sqrt(torch.tensor(float(W1.shape[0]), dtype=x.dtype))
    out = x
    for A, a, B, b in zip(W1, b1, W2, b2):
        out = out + scale * torch.addmm(b, torch.clamp(torch.addmm(a, out, A), min=0), B)
    return out


def residual_stack_in_torch__functional(x, W1, b1, W2, b2):
    import torch.nn.functional as F

    L = W1.size(0)
    for k in range(L):
        hidden = F.relu(F.linear(x, W1[k].T, b1[k]))
        x = x + F.linear(hidden, (W2[k] / L**0.5).T, b2[k] / L**0.5)
    return x


def residual_stack_in_torch__einsum(x, W1, b1, W2, b2):
    import math

    import torch

    def block(a, k):
        z = torch.einsum("nd,dh->nh", a, W1[k]) + b1[k]
        return a + (torch.einsum("nh,hd->nd", torch.where(z > 0, z, torch.zeros_like(z)), W2[k]) + b2[k]).div(math.sqrt(len(b2)))

    for k in range(len(b2)):
        x = block(x, k)
    return x


def residual_stack_in_torch__recursive(x, W1, b1, W2, b2, factor=None):
    import torch

    factor = factor or len(W1) ** -0.5
    if len(W1) == 0:
        return x
    x = x + factor * (torch.nn.functional.relu(x @ W1[0] + b1[0]) @ W2[0] + b2[0])
    return residual_stack_in_torch(x, W1[1:], b1[1:], W2[1:], b2[1:], factor)
