import { type Fields, invalidField } from './read-fields.ts';

/** For requests that take no parameters. */
export function refuseAll(fields: Fields): void {
  const [name] = Object.keys(fields);
  if (name !== undefined) throw invalidField(name.slice(0, 40), 'is no parameter of this request');
}
