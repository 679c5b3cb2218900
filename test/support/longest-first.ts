import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take longest, by far: begun last, one would run on alone when the others are through. */
const longest = [
  'test/chaos/chaos.test.ts',
  'test/lab/failover.test.ts',
  'test/simulation/simulate.test.ts',
  'test/server/several-servers.test.ts',
  'test/api/fuzz.test.ts',
  'bench/short-run.test.ts',
];

/** Runs those first; a clean clone has no times of its own to go by. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const others = await super.sort(files);
    const first = longest.flatMap((name) => others.filter(({ moduleId }) => moduleId.endsWith(`/${name}`)));
    return [...first, ...others.filter((file) => !first.includes(file))];
  }
}
