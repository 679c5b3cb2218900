import { describe, expect, it } from 'vitest';
import type { Measurement } from './figure.ts';
import { renderFigure, verdict } from './report.ts';
import { percentile, spread } from './statistics.ts';

describe('the verdict on a measurement', () => {
  const ratio = (values: number[], target?: Measurement['target']): Measurement =>
    target ? { name: 'ratio', unit: '', values, target } : { name: 'ratio', unit: '', values };

  it('goes by the median, on the right side of what is asked', () => {
    const lower = { reach: 0.6, aim: 0.35, better: 'lower' } as const;
    expect(verdict(ratio([0.3, 0.3, 0.9], lower))).toBe('aim');
    expect(verdict(ratio([0.3, 0.5, 0.9], lower))).toBe('reached');
    expect(verdict(ratio([0.3, 0.7, 0.9], lower))).toBe('missed');
    const higher = { reach: 15, aim: 25, better: 'higher' } as const;
    expect(verdict(ratio([26], higher))).toBe('aim');
    expect(verdict(ratio([15], higher))).toBe('reached');
    expect(verdict(ratio([14], higher))).toBe('missed');
  });

  it('is silent where nothing is asked', () => {
    expect(verdict(ratio([1]))).toBe('');
  });

  it('stands in the table beside the range of the runs', () => {
    const measurements = [ratio([0.5, 0.41, 0.62], { reach: 0.6, aim: 0.35, better: 'lower' })];
    const table = renderFigure({ name: 'accept', title: 'Time', measurements, notes: ['Sizes.'] }).join('\n');
    expect(table).toContain('| ratio | 0.5 (0.41 to 0.62) | 0.6 | 0.35 | reached |');
    expect(table).toContain('Sizes.');
  });
});

describe('percentiles', () => {
  it('interpolate between neighbours and do not mind the order', () => {
    expect(percentile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(percentile([1, 2, 3, 4, 5], 1)).toBe(5);
    expect(spread([3, 1, 2])).toEqual({ min: 1, median: 2, max: 3 });
  });

  it('refuse to be taken of nothing', () => {
    expect(() => percentile([], 0.5)).toThrow(RangeError);
  });
});
