// How deliveries reach SQS and SNS: HTTP by undici, which takes half the work of the SDK's own handler for a small call and its small answer.
import type { Readable } from 'node:stream'
import { Agent, type Dispatcher } from 'undici'

/** Of the SDK's request, what travels; its other members are in the headers. */
export interface AwsRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

export interface AwsResponse {
  readonly statusCode: number
  readonly headers: Record<string, string>
  /** Whole: answers to deliveries are short. */
  readonly body: Buffer
}

/** The SDK's `requestHandler` [AWS SDK for JavaScript, HttpHandler]. */
export interface AwsHttp {
  readonly metadata: { readonly handlerProtocol: string }
  /** Rejects with the errno in `code`, or with a TimeoutError. */
  handle(request: AwsRequest): Promise<{ readonly response: AwsResponse }>
  destroy(): void
}

export interface AwsHttpOptions {
  /** Connections to one host. */
  readonly maxSockets: number
  readonly connectTimeoutMs: number
  /** From the first byte sent to the first byte of the answer, and between any two of its bytes. */
  readonly requestTimeoutMs: number
}

export function createAwsHttp({ maxSockets, connectTimeoutMs, requestTimeoutMs }: AwsHttpOptions): AwsHttp {
  const agent = new Agent({
    connections: maxSockets,
    pipelining: 1,
    connect: { timeout: connectTimeoutMs },
    headersTimeout: requestTimeoutMs,
    bodyTimeout: requestTimeoutMs,
  })
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle({ protocol, hostname, port, path, method, headers, body }) {
      const origin = `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`
      const options = { origin, path, method: method as Dispatcher.HttpMethod, headers, body: (body as string | Buffer | Readable) ?? null }
      return new Promise((resolve, reject) => {
        agent.dispatch(options, collect(resolve, reject))
      })
    },
    destroy() {
      agent.destroy().catch(() => undefined)
    },
  }
}

function collect(resolve: (answer: { response: AwsResponse }) => void, reject: (error: unknown) => void): Dispatcher.DispatchHandler {
  const chunks: Buffer[] = []
  let statusCode = 0
  let headers: Record<string, string> = {}
  return {
    onRequestStart() {}, // without it this would be taken for a handler of an older kind
    onResponseStart(_controller, status, received) {
      statusCode = status
      headers = received as Record<string, string>
    },
    onResponseData(_controller, chunk) {
      chunks.push(chunk)
    },
    onResponseEnd() {
      resolve({ response: { statusCode, headers, body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) } })
    },
    onResponseError(_controller, error) {
      reject(known(error))
    },
  }
}

/** In the words of node:http, which is what callers know. */
function known(error: Error & { code?: string }): Error {
  if (/^UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT$/.test(error.code ?? '')) return Object.assign(error, { name: 'TimeoutError' })
  return error.code === 'UND_ERR_SOCKET' ? Object.assign(error, { code: 'ECONNRESET' }) : error
}
