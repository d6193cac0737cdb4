// URLs of targets: compared as parsed values, because URLs that differ as text may be equal, and the other way round.

/** An absolute http or https URL without user info; undefined for any other text. */
export function parseWebUrl(text: string): URL | undefined {
  const url = /^https?:\/\//i.test(text) ? URL.parse(text) : null
  return url && url.username === '' && url.password === '' ? url : undefined
}

/** The origin of a template whose scheme and host no substitution can change; undefined for any other text. */
export function fixedOriginOf(template: string): string | undefined {
  const [start] = template.split('${', 1)
  const [literal] = /^https?:\/\/[^\s/\\?#@]+\//i.exec(start!) ?? []
  return literal === undefined ? undefined : parseWebUrl(literal)?.origin
}

/** Same origin, and the path of the prefix or below it, segment by segment. */
export function isBelow(url: URL, prefix: URL): boolean {
  const [path, above] = [segmentsOf(url), segmentsOf(prefix)]
  if (!path || !above || url.origin !== prefix.origin) return false
  if (above.at(-1) === '') above.pop()
  return above.every((segment, place) => segment === path[place])
}

/** Undefined when a server that decodes the path could find a dot segment in it: `..%2f`, `..;`. */
function segmentsOf({ pathname }: URL): string[] | undefined {
  try {
    const segments = pathname.split('/').map(decodeURIComponent)
    return segments.some((segment) => segment.split(/[/\\]/).some(isDots)) ? undefined : segments
  } catch {
    return undefined
  }
}

const isDots = (segment: string) => /^\.{1,2}(?:;|$)/.test(segment)
