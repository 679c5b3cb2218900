/** A fault as the compiler of schemas reports it. */
export interface SchemaError {
  keyword: string;
  schemaPath: string;
  instancePath: string;
  params: object;
  message: string;
}

/** What takes the place of a choice whose branches are all of other types or values. */
export interface ChoiceParams {
  /** What the value may be, such as `false` and `an object`. */
  names: string[];
  isWrongType: boolean;
}

/**
 * The compiler reports the faults of all branches of a choice (`anyOf`), and then the choice. Kept are those of the
 * branches that fit the value's type, which alone can have been meant; where there is none, one error of the keyword
 * `choice` names all branches.
 */
export function mergeChoices(errors: SchemaError[]): SchemaError[] {
  let merged = errors;
  // A choice within another comes before it.
  for (const error of errors) if (error.keyword === 'anyOf') merged = mergeChoice(merged, error);
  return merged;
}

function mergeChoice(errors: SchemaError[], choice: SchemaError): SchemaError[] {
  const branches = new Map<string, SchemaError[]>();
  for (const error of errors) {
    const branch = branchOf(error, choice);
    if (branch !== undefined) branches.set(branch, [...(branches.get(branch) ?? []), error]);
  }
  const misfits = [...branches.values()].map((branch) =>
    branch.filter((error) => error.instancePath === choice.instancePath && namesOf(error) !== undefined),
  );
  if (misfits.some((found) => found.length === 0)) {
    const dropped = new Set([...branches.values()].filter((_, at) => misfits[at]!.length > 0).flat());
    return errors.filter((error) => !dropped.has(error));
  }
  const params: ChoiceParams = {
    // The type of a fixed value comes before it and says less.
    names: [...new Set(misfits.flatMap((found) => namesOf(found.at(-1)!)!))],
    isWrongType: misfits.every((found) => found.some(isWrongType)),
  };
  return errors.flatMap((error) => {
    if (error === choice) return { ...choice, keyword: 'choice', params };
    return branchOf(error, choice) === undefined ? error : [];
  });
}

/** Of which branch of the choice an error is; undefined for one that is of none. */
function branchOf({ schemaPath, instancePath }: SchemaError, choice: SchemaError): string | undefined {
  const isInside = instancePath === choice.instancePath || instancePath.startsWith(`${choice.instancePath}/`);
  const branches = `${choice.schemaPath}/anyOf/`;
  if (!isInside || !schemaPath.startsWith(branches)) return undefined;
  return schemaPath.slice(branches.length).split('/')[0];
}

/** What a value would have to be, where an error is that it is something else altogether. */
function namesOf({ keyword, params }: SchemaError): string[] | undefined {
  const { type, allowedValue, allowedValues, names } = params as Record<string, unknown>;
  if (keyword === 'type' && typeof type === 'string') return [typeNames[type] ?? type];
  if (keyword === 'const') return [JSON.stringify(allowedValue)];
  if (keyword === 'enum' && Array.isArray(allowedValues))
    return allowedValues.map((value) => JSON.stringify(value));
  return keyword === 'choice' ? (names as string[]) : undefined;
}

function isWrongType({ keyword, params }: SchemaError): boolean {
  return keyword === 'type' || (keyword === 'choice' && (params as ChoiceParams).isWrongType);
}

const typeNames: Record<string, string> = {
  object: 'an object',
  array: 'an array',
  string: 'a string',
  integer: 'an integer',
  number: 'a number',
  boolean: 'a boolean',
};
