import { curlExample } from './curl-example.ts';
import type { OpenapiDocument, Operation, Parameter, Response } from './openapi-document.ts';
import { type Field, fieldsOf, limitsOf, type Schema, typeOf } from './schema-fields.ts';

/** The calls that most come for are first; tags that are not named here follow. */
const tagsFirst = ['messages', 'batches', 'events', 'routes', 'accounts', 'keys'];

interface Entry {
  id: string;
  method: string;
  path: string;
  operation: Operation;
}

/** The page of `/docs`, whole: it names every call of the document, and refers to nothing but what this server has. */
export function renderDocs(document: OpenapiDocument): string {
  const { info } = document;
  const groups = groupsOf(document);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(info.title)} API</title>
<link rel="stylesheet" href="docs/page.css">
<script src="docs/page.js" defer></script>
</head>
<body>
<header>
<h1>${escapeHtml(info.title)} API <small>${escapeHtml(info.version)}</small></h1>
<div class="search" role="search"><input id="search" type="search" placeholder="Search calls and fields" aria-label="Search calls and fields" autocomplete="off" spellcheck="false"><kbd aria-hidden="true">/</kbd></div>
<p id="found" role="status"></p>
</header>
<nav aria-label="Calls">
${groups.map(([tag, entries]) => navGroup(tag, entries)).join('\n')}
</nav>
<main>
${prose(info.description)}
<p>Calls carry <code>Authorization: Bearer KEY</code>. The examples take the address of this server and your key from <code>MILLRACE_URL</code> and <code>MILLRACE_KEY</code>. The description for programs is <a href="openapi.json">openapi.json</a>.</p>
<p id="none" hidden>No call has all of these words.</p>
${groups.map(([tag, entries]) => section(tag, entries)).join('\n')}
</main>
</body>
</html>
`;
}

function groupsOf({ paths }: OpenapiDocument): [string, Entry[]][] {
  const groups = new Map<string, Entry[]>(tagsFirst.map((tag) => [tag, []]));
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const tag = operation.tags?.[0] ?? 'others';
      const id = `${method}${path.replace(/[^a-z0-9]+/gi, '-').replace(/-$/, '')}`;
      groups.set(tag, [...(groups.get(tag) ?? []), { id, method, path, operation }]);
    }
  }
  for (const entries of groups.values()) entries.sort(byPath);
  return [...groups].filter(([, entries]) => entries.length > 0);
}

const methodOrder = ['post', 'get', 'put', 'patch', 'delete'];

function byPath(one: Entry, other: Entry): number {
  if (one.path !== other.path) return one.path < other.path ? -1 : 1;
  return methodOrder.indexOf(one.method) - methodOrder.indexOf(other.method);
}

function navGroup(tag: string, entries: Entry[]): string {
  const items = entries.map(
    ({ id, method, path }) =>
      `<li><a href="#${id}"><span class="method ${method}">${method.toUpperCase()}</span> <span class="path">${pathText(path)}</span></a></li>`,
  );
  return `<div class="group"><h2>${escapeHtml(tag)}</h2><ul>${items.join('')}</ul></div>`;
}

function section(tag: string, entries: Entry[]): string {
  return `<section aria-labelledby="tag-${tag}"><h2 id="tag-${tag}">${escapeHtml(tag)}</h2>
${entries.map(article).join('\n')}
</section>`;
}

function article(entry: Entry): string {
  const { id, method, path, operation } = entry;
  const { summary = '', description, parameters = [], requestBody, responses } = operation;
  return `<details class="call" id="${id}">
<summary><h3><span class="method ${method}">${method.toUpperCase()}</span> <span class="path">${pathText(path)}</span></h3> <span class="what">${inline(summary)}</span></summary>
<div class="body">
${prose(description)}
${parameterList('In the path', parameters, 'path')}
${parameterList('In the query', parameters, 'query')}
${parameterList('Headers', parameters, 'header')}
${Object.entries(requestBody?.content ?? {})
  .map(([mediaType, { schema = {} }]) => body(mediaType, schema))
  .join('\n')}
${answers(responses)}
<h4>Example</h4>
<pre tabindex="0"><code>${escapeHtml(curlExample(entry))}</code></pre>
</div>
</details>`;
}

function parameterList(title: string, parameters: Parameter[], place: string): string {
  const fields = parameters
    .filter((parameter) => parameter.in === place)
    .map(
      ({ name, required = false, description, schema = {} }): Field => ({
        ...{ name, isRequired: required, type: typeOf(schema), limits: limitsOf(schema) },
        description: description ?? schema.description,
      }),
    );
  return fields.length === 0 ? '' : `<h4>${title}</h4>\n${fieldList(fields)}`;
}

function body(mediaType: string, schema: Schema): string {
  const fields = fieldsOf(schema);
  return `<h4>Body: <code>${escapeHtml(mediaType)}</code></h4>
${prose(schema.description)}${schema.anyOf && fields.length > 0 ? prose(`${typeOf(schema)}, with these fields`) : ''}
${fields.length > 0 ? fieldList(fields) : ''}`;
}

function answers(responses: Record<string, Response>): string {
  const good = Object.entries(responses).filter(([status]) => status.startsWith('2'));
  const bad = Object.entries(responses).filter(([status]) => !status.startsWith('2'));
  return `<h4>Answers</h4>
${good.map(([status, response]) => answer(status, response)).join('\n')}
${bad.length === 0 ? '' : `<dl class="errors">${bad.map(([status, { description }]) => `<div><dt>${status}</dt><dd>${prose(description)}</dd></div>`).join('')}</dl>`}`;
}

function answer(status: string, { description = '', headers = {}, content = {} }: Response): string {
  const headerFields = Object.entries(headers).map(
    ([name, header]): Field => ({
      ...{ name, isRequired: false, type: typeOf(header.schema ?? {}), limits: [] },
      description: header.description,
    }),
  );
  const parts = Object.entries(content).map(([mediaType, { schema = {} }]) => {
    const fields = [...headerFields, ...fieldsOf(schema)];
    return `<details class="answer"><summary><code>${escapeHtml(mediaType)}</code>: ${fields.length === 0 ? escapeHtml(typeOf(schema)) : `${fields.length} fields and headers`}</summary>${fields.length === 0 ? '' : fieldList(fields)}</details>`;
  });
  return `<p><strong>${status}</strong> ${inline(description)}</p>\n${parts.join('\n')}`;
}

function fieldList(fields: Field[]): string {
  return `<dl class="fields">${fields.map(fieldRow).join('')}</dl>`;
}

function fieldRow({ name, type, limits, isRequired, description }: Field): string {
  const told = [escapeHtml(type), ...limits.map(escapeHtml)].join(' · ');
  const more = description === undefined ? '' : `<p>${inline(description)}</p>`;
  return `<div><dt><code>${breakable(name)}</code>${isRequired ? ' <em>required</em>' : ''}</dt><dd><span class="type">${told}</span>${more}</dd></div>`;
}

/** Paragraphs, with `code`. */
function prose(text: string | undefined): string {
  if (!text) return '';
  return text
    .split('\n\n')
    .map((paragraph) => `<p>${inline(paragraph)}</p>`)
    .join('');
}

function inline(text: string): string {
  return escapeHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>');
}

function pathText(path: string): string {
  return escapeHtml(path).replaceAll('/', '<wbr>/').replace('<wbr>', '');
}

/** A long path to a field may go over several lines, at its dots. */
function breakable(name: string): string {
  return escapeHtml(name).replaceAll('.', '.<wbr>');
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
