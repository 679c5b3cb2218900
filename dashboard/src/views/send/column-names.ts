/** What a column of CSV may be to the API. */
export const columnFields = [
  ...['to', 'from', 'body', 'subject', 'html', 'template', 'ref', 'tags'],
  ...['scheduledAt', 'expiresAt', 'orderingKey'],
];

/** Words that people write over such a column. */
const guesses: Record<string, RegExp> = {
  to: /^(to|recipient|phone|mobile|msisdn|number|telephone|e-?mail|address)$/i,
  from: /^(from|sender|originator)$/i,
  body: /^(body|text|message|content)$/i,
  subject: /^subject$/i,
  ref: /^(ref|reference|id)$/i,
};

/** What each column of a file is at first taken for. Parameters of the template are known by their names. */
export function guessColumns(columns: readonly string[], params: readonly string[]): string[] {
  const taken = new Set<string>();
  return columns.map((name) => {
    const field = columnFields.includes(name)
      ? name
      : /^(params|metadata)\../.test(name)
        ? name
        : params.includes(name)
          ? `params.${name}`
          : (Object.keys(guesses).find((known) => guesses[known]!.test(name) && !taken.has(known)) ??
            `metadata.${name || 'column'}`);
    taken.add(field);
    return field;
  });
}

/** Why the columns cannot be sent like this; empty when they can. */
export function columnsProblem(mapped: readonly string[]): string {
  if (!mapped.includes('to')) return 'Choose the column that holds the recipients (“to”).';
  const twice = mapped.find((name, index) => mapped.indexOf(name) !== index);
  return twice === undefined ? '' : `Two columns are “${twice}”: choose another one for one of them.`;
}
