import { mayNamePerson } from '../message/may-name-person.ts';

/** Why a record is not taken. Users' scripts match on these: add, never rename. */
export type RejectionCode =
  | 'bad_quote'
  | 'column_count'
  | 'invalid_json'
  | 'invalid_params'
  | 'invalid_recipient'
  | 'invalid_unicode'
  | 'invalid_utf8'
  | 'invalid_value'
  | 'line_too_long'
  | 'missing_params'
  | 'missing_template'
  | 'missing_to'
  | 'nesting_too_deep'
  | 'not_allowed_in_batch'
  | 'not_an_object'
  | 'not_available'
  | 'number_precision'
  | 'template_and_text'
  | 'too_long'
  | 'unknown_field'
  | 'unknown_template'
  | 'unterminated_quote'
  | 'wrong_channel'
  | 'wrong_type';

export interface RecordProblem {
  code: RejectionCode;
  detail: string;
}

/** One record that is not taken; its neighbours are. `line` counts as nextLine does. */
export interface Rejection extends RecordProblem {
  line: number;
}

/** Why an upload ends here: the records before `line` stand, nothing from it on is taken. */
export interface UploadProblem {
  line: number;
  code:
    | 'broken_array'
    | 'column_not_available'
    | 'duplicate_column'
    | 'header_too_long'
    | 'invalid_header'
    | 'missing_column'
    | 'missing_header'
    | 'not_an_array'
    | 'trailing_data'
    | 'unknown_column'
    | 'unterminated_array'
    | 'unterminated_quote'
    | 'wrong_separator';
  detail: string;
}

/** Names and values from a sender are quoted in details up to this many characters. */
const quotedCharsMax = 60;

/**
 * A sender's own text as a detail may show it: short, on one line, in quotes. One that may name a person is not shown:
 * details are kept, and are not among what is searched to erase somebody.
 */
export function quoted(text: string): string {
  if (mayNamePerson(text)) return `a name of ${text.length} characters`;
  const shown = text.length > quotedCharsMax ? `${text.slice(0, quotedCharsMax)}…` : text;
  return JSON.stringify(shown);
}
