import { test } from '@jest/globals';
import { matmul, mul, relu, softmaxMatmul, transpose } from '../../src/index.js';
import { fuse } from '../../src/passes/fuse.js';
import { expectPass } from './pass.js';

test('a transpose that a product reads becomes its flag', () => {
  expectPass((a, b) => matmul(a, transpose(b)), fuse, ['matmul(%0, %1) alpha=1 transA=false transB=true']);
  expectPass((a, b) => matmul(transpose(transpose(a)), b, { transB: true }), fuse, ['matmul(%0, %1) alpha=1 transA=false transB=true']);
  expectPass((a, b) => matmul(transpose(b), transpose(a), { transA: true }), fuse, ['matmul(%1, %0) alpha=1 transA=false transB=true']);
});

test('a constant factor of a product becomes its alpha, unless the product is needed without it', () => {
  expectPass((a, b) => mul(matmul(a, b, { transB: true }), 0.5), fuse, ['matmul(%0, %1) alpha=0.5 transA=false transB=true']);
  expectPass(
    (a, b) => {
      const product = matmul(a, b, { transB: true });
      return matmul(relu(mul(product, 0.5)), product, { transB: true });
    },
    fuse,
    ['matmul(%0, %1) alpha=1 transA=false transB=true', 'mul(%2, %3)', 'relu(%4)', 'matmul(%5, %2) alpha=1 transA=false transB=true'],
  );
});

test('so do constant factors of what it reads, under transposes too', () => {
  expectPass((a, b) => matmul(mul(a, 0.5), transpose(mul(4, b))), fuse, ['matmul(%0, %1) alpha=2 transA=false transB=true']);
  expectPass((a, b) => matmul(mul(a, a), b, { transB: true }), fuse, ['mul(%0, %0)', 'matmul(%2, %1) alpha=1 transA=false transB=true']);
});

test('once its gradient is taken, a product with a softmax is a product like others', () => {
  expectPass((a, b) => softmaxMatmul(matmul(a, b, { transB: true }), b), fuse, [
    'matmul(%0, %1) alpha=1 transA=false transB=true',
    'matmul(%3, %1) alpha=1 transA=false transB=false',
  ]);
});
