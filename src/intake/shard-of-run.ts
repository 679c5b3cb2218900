import { shardOf } from '../message/id.ts';
import { limits } from '../message/limits.ts';

/** Odd, so that successive runs of a batch visit every shard before one comes again. */
const stride = 389;

export function runOfLine(line: number): number {
  return Math.floor((line - 1) / limits.runLines);
}

/**
 * The shard of the lines of a run. It follows from batch and line alone, so that lines sent again meet what is
 * already there; and it changes from run to run, so that a giant batch spreads over all owners.
 */
export function shardOfRun(batch: string, run: number): number {
  return (shardOf(batch) + run * stride) % limits.shards;
}
