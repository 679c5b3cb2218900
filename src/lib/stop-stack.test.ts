import { expect, test, vi } from 'vitest';
import { StopStack } from './stop-stack.ts';

const unheard = (error: unknown) => {
  throw error;
};

test('parts are stopped in the opposite order, all of them also when one fails', async () => {
  const stops = new StopStack(unheard);
  const order: string[] = [];
  stops.push(async () => order.push('first'));
  stops.push(async () => {
    order.push('second');
    throw new Error('the second will not');
  });
  stops.push(async () => order.push('third'));
  stops.pushLast(async () => order.push('last'));
  await expect(stops.stop()).rejects.toThrow('the second will not');
  expect(order).toEqual(['third', 'second', 'first', 'last']);
});

test('a part that comes up after all was stopped is stopped too, also when another could not be', async () => {
  const stops = new StopStack(unheard);
  stops.push(async () => {
    throw new Error('it will not');
  });
  await expect(stops.stop()).rejects.toThrow('it will not');
  await new Promise<void>((stopped) => stops.push(async () => stopped()));
});

test('of a part that comes up late and cannot be stopped somebody hears', async () => {
  const heard = vi.fn();
  const stops = new StopStack(heard);
  await stops.stop();
  stops.push(async () => {
    throw new Error('it runs on');
  });
  await vi.waitFor(() => expect(heard).toHaveBeenCalledWith(new Error('it runs on')));
});
