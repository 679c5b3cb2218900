import type { ComponentChildren, JSX } from 'preact';

/** One figure that matters, large enough for a wall. */
export function Tile(props: {
  label: string;
  value: string;
  unit?: string;
  note?: ComponentChildren;
  tone?: 'bad' | 'warn';
}): JSX.Element {
  const { label, value, unit, note, tone } = props;
  return (
    <div class={`tile ${tone ?? ''}`}>
      <dt>{label}</dt>
      <dd>
        <b>{value}</b>
        {unit && <span class="unit"> {unit}</span>}
        {note && <small>{note}</small>}
      </dd>
    </div>
  );
}
