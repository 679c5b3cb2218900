import type { ComponentChildren, JSX } from 'preact';
import { useId } from 'preact/hooks';

export function Section(props: {
  title: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
}): JSX.Element {
  const id = useId();
  return (
    <section aria-labelledby={id} class="section">
      <header>
        <h2 id={id}>{props.title}</h2>
        {props.aside !== undefined && <div class="aside">{props.aside}</div>}
      </header>
      {props.children}
    </section>
  );
}
