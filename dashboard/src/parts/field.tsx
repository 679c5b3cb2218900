import type { ComponentChildren, JSX } from 'preact';
import { useId } from 'preact/hooks';

/** A labelled control; `hint` is read with it. */
export function Field(props: {
  label: string;
  hint?: string;
  children: (attributes: { id: string; 'aria-describedby'?: string }) => ComponentChildren;
}): JSX.Element {
  const id = useId();
  const { label, hint, children } = props;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, ...(hint !== undefined && { 'aria-describedby': `${id}-hint` }) })}
      {hint !== undefined && <small id={`${id}-hint`}>{hint}</small>}
    </div>
  );
}
