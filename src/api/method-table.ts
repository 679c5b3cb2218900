/** Which methods the paths take: for 405, `Allow` and OPTIONS. */
export interface MethodTable {
  add(methods: string | readonly string[], template: string): void;
  /** The methods of a URL's path, sorted; empty when no endpoint has the path. */
  allowedAt(url: string): string[];
}

export function createMethodTable(): MethodTable {
  const paths = new Map<string, { pattern: RegExp; methods: Set<string> }>();
  return {
    add(methods, template) {
      const known = paths.get(template) ?? { pattern: patternOf(template), methods: new Set(['OPTIONS']) };
      for (const method of [methods].flat()) known.methods.add(method);
      paths.set(template, known);
    },
    allowedAt(url) {
      const path = url.split('?', 1)[0]!;
      const allowed = new Set<string>();
      for (const { pattern, methods } of paths.values()) {
        if (pattern.test(path)) for (const method of methods) allowed.add(method);
      }
      return [...allowed].sort();
    },
  };
}

/** `/v1/keys/:id` → one path part for each parameter. */
function patternOf(template: string): RegExp {
  const parts = template.split('/').map((part) => (part.startsWith(':') ? '[^/]+' : escapePattern(part)));
  return new RegExp(`^${parts.join('/')}$`);
}

function escapePattern(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
