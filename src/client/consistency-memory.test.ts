import { expect, test } from 'vitest';
import { createConsistencyMemory } from './consistency-memory.ts';

test('reads carry nothing before the first write, then the newest place', () => {
  const memory = createConsistencyMemory();
  expect(memory.token()).toBeUndefined();
  const [first, second] = [memory.beginWrite(), memory.beginWrite()];
  second('home:1:0/20');
  first('home:1:0/10');
  expect(memory.token()).toBe('home:1:0/20');
  memory.beginWrite()('home:2:0/15');
  expect(memory.token()).toBe('home:2:0/15');
});

test('a lost answer leads to the primary until a write that was begun after it', () => {
  const memory = createConsistencyMemory();
  memory.beginWrite()('home:1:0/10');
  const during = memory.beginWrite();
  memory.beginWrite()('unknown');
  expect(memory.token()).toBe('unknown');
  during('home:1:0/30');
  expect(memory.token()).toBe('unknown');
  memory.beginWrite()('home:1:0/40');
  expect(memory.token()).toBe('home:1:0/40');
});

test('a token that this version cannot read leads to the primary', () => {
  const memory = createConsistencyMemory();
  memory.beginWrite()('home@somewhere');
  expect(memory.token()).toBe('unknown');
});
