import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createProgress, RateMeter } from './progress.ts';
import { createTerminal } from './terminal.ts';

describe('a rate', () => {
  it('is that of the last seconds, not of the whole', () => {
    const meter = new RateMeter();
    for (let second = 0; second <= 10; second++) meter.sample(second * 100, second * 1_000);
    for (let second = 11; second <= 20; second++) meter.sample(1_000 + (second - 10) * 10, second * 1_000);
    expect(meter.perSecond()).toBeCloseTo(10);
  });

  it('of what is finished is that of the whole, however often its end is drawn', () => {
    const meter = new RateMeter();
    meter.sample(0, 0);
    for (let second = 10; second <= 60; second++) meter.sample(1_000, second * 1_000, { last: true });
    expect(meter.perSecond()).toBe(0);
    expect(meter.average()).toBeCloseTo(100);
  });

  it('is nothing before there are two samples, and never below nothing', () => {
    const meter = new RateMeter();
    expect(meter.perSecond()).toBe(0);
    meter.sample(10, 0);
    expect(meter.perSecond()).toBe(0);
    meter.sample(5, 1_000);
    expect(meter.perSecond()).toBe(0);
  });
});

describe('progress', () => {
  it('draws no bars where nobody watches', () => {
    const err = new PassThrough();
    const progress = createProgress(createTerminal(new PassThrough(), err, {}));
    progress.bar('sending', { total: 10, unit: 'count' }).update(5);
    progress.note('a note');
    progress.stop();
    expect(progress.live).toBe(false);
    expect(String(err.read())).toBe('a note\n');
  });

  it('says nothing at all when it is to be quiet', () => {
    const err = new PassThrough();
    const progress = createProgress(createTerminal(new PassThrough(), err, {}), { quiet: true });
    progress.note('a note');
    expect(err.read()).toBeNull();
  });

  it('loses no note on a terminal: before a bar, just before the end, and behind it', () => {
    const err = watched();
    const progress = createProgress(createTerminal(new PassThrough(), err, {}));
    progress.note('before');
    expect(String(err.read())).toBe('before\n');
    progress.bar('sending', { total: 10, unit: 'count' });
    progress.note('last');
    progress.stop();
    progress.note('behind');
    expect(String(err.read())).toMatch(/last\n.*sending .*\nbehind\n$/s);
  });

  it('leaves nothing on a terminal where it had nothing to draw', () => {
    const err = watched();
    createProgress(createTerminal(new PassThrough(), err, {})).stop();
    expect(err.read()).toBeNull();
  });

  it('draws a bar with rate and time left on a terminal', () => {
    const err = watched();
    const progress = createProgress(createTerminal(new PassThrough(), err, {}));
    const bar = progress.bar('sending', { total: 4_000_000, unit: 'count' });
    bar.update(1_000_000);
    bar.wait('waiting for the server');
    progress.stop();
    expect(String(err.read())).toMatch(
      /sending .*█+░+ +25% {2}1,000,000\/4,000,000 {2}waiting for the server/,
    );
  });
});

function watched() {
  return Object.assign(new PassThrough(), {
    isTTY: true,
    columns: 200,
    cursorTo() {},
    clearLine() {},
    moveCursor() {},
    clearScreenDown() {},
  });
}

describe('a terminal', () => {
  const terminal = (env: Record<string, string>) =>
    createTerminal(Object.assign(new PassThrough(), { isTTY: true }), new PassThrough(), env);

  it('has colours unless NO_COLOR or a dumb terminal says otherwise', () => {
    expect(terminal({}).style('red', 'x')).toBe('\u001b[31mx\u001b[39m');
    expect(terminal({ NO_COLOR: '1' }).style('red', 'x')).toBe('x');
    expect(terminal({ TERM: 'dumb' }).style('red', 'x')).toBe('x');
    expect(terminal({}).style('red', 'x', 'err')).toBe('x');
  });
});
