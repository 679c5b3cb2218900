import { removeLeftData } from './process-data.ts';

/** Once for each run: what was left by test processes that were killed, of this run or of one before. */
export default function clearLeftData(): () => void {
  removeLeftData();
  return () => removeLeftData();
}
