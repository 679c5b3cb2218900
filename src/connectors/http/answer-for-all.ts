import { withoutPersons } from '../../message/may-name-person.ts';
import type { Answer } from '../connector.ts';

/**
 * What is said of a whole request is kept with every message in it, of which some may be in chunks that have nothing else
 * of a person whom it names: erasing the person would not find it there.
 */
export function answerForAll(answer: Answer, count: number): Answer {
  if (count === 1 || answer.kind === 'sent') return answer;
  const { error } = answer;
  return { ...answer, error: { ...error, detail: withoutPersons(error.detail) } };
}
