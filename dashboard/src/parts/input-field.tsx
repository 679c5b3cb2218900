import type { InputHTMLAttributes, JSX } from 'preact';
import { Field } from './field.tsx';

/** A labelled input that tells what was typed; all else is that of an input. */
export function InputField(
  props: InputHTMLAttributes & {
    /** These are the field's own. */
    id?: never;
    'aria-describedby'?: never;
    onInput?: never;
    label: string;
    hint?: string;
    value: string;
    onText: (text: string) => void;
  },
): JSX.Element {
  const { label, hint, onText, ...others } = props;
  return (
    <Field label={label} {...(hint !== undefined && { hint })}>
      {(attributes) => (
        <input {...others} {...attributes} onInput={({ currentTarget }) => onText(currentTarget.value)} />
      )}
    </Field>
  );
}
