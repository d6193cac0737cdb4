// Tells an endpoint that does not answer from one that answers with an error.

interface Facts {
  readonly name?: string
  readonly message?: string
  readonly code?: unknown
  readonly cause?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number }
  readonly $response?: { readonly statusCode?: number }
}

const longestMessage = 200
const timeouts: ReadonlySet<unknown> = new Set(['TimeoutError', 'ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT'])

/** The HTTP status of an SDK error that is an answer. */
export function answeredStatus(error: unknown): number | undefined {
  const { $metadata, $response } = Object(error) as Facts
  return $metadata?.httpStatusCode ?? $response?.statusCode
}

/** Why no answer came: an errno such as `ECONNREFUSED`, or `timed out`. undefined: an answer came, or nothing was sent. */
export function silenceOf(error: unknown): string | undefined {
  if (answeredStatus(error) !== undefined) return undefined
  const { name, code, cause } = Object(error) as Facts
  if (timeouts.has(name) || timeouts.has(code)) return 'timed out'
  if (typeof code === 'string' && /^E[A-Z_]+$/.test(code)) return code
  return cause === undefined || cause === error ? undefined : silenceOf(cause) // fetch hides the errno in its cause
}

/**
 * What follows the name of an endpoint in a sentence: `does not answer (ECONNREFUSED)`, `answers with AccessDenied (HTTP 403): …`, or
 * `cannot be asked: …` where no request was sent.
 */
export function answerText(error: unknown): string {
  const silence = silenceOf(error)
  if (silence !== undefined) return `does not answer (${silence})`
  const { name = 'Error', message = '' } = Object(error) as Facts
  const status = answeredStatus(error)
  const text = oneLine(message)
  if (status === undefined) return `cannot be asked: ${text || name}`
  return `answers with ${oneLine(name)} (HTTP ${status})${text && text !== name ? `: ${text}` : ''}`
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > longestMessage ? `${line.slice(0, longestMessage)}…` : line
}
