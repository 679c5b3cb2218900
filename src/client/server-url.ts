/** @throws TypeError that says what to give */
export function readServerUrl(given: string | URL): URL {
  const text = String(given);
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) {
    throw new TypeError(
      `url is ${JSON.stringify(given)}; give where the server listens, such as "http://127.0.0.1:8080"`,
    );
  }
  const url = new URL(text);
  const prefix = url.pathname.replace(/\/+$/, '');
  if (prefix.endsWith('/v1')) {
    throw new TypeError(
      `url is ${JSON.stringify(given)}, and calls add /v1 themselves: give "${url.origin}${prefix.slice(0, -'/v1'.length)}"`,
    );
  }
  return url;
}
