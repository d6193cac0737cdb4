// What a client hears when something went wrong: an RFC 9457 document made from the catalogue alone, and a number to ask for.
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify'
import { codes, type ErrorCode, type ErrorKind, GatewayError, textOf } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'

export interface Problem {
  /** Names the kind of problem; the code in it is one of the catalogue. */
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  /** This one occurrence, as the log names it. */
  readonly instance: string
}

export function toProblem(code: ErrorCode, id: string): Problem {
  const { status, means } = codes[code]
  const words = code.toLowerCase().replaceAll('_', '-')
  return {
    type: `urn:weir:problem:${words}`,
    title: words.replaceAll('-', ' '),
    status,
    detail: means,
    instance: `urn:uuid:${id}`,
  }
}

/** Never more often than this, whoever asks a client to come back. */
const retryAfterSeconds = 1

export interface ProblemOptions {
  readonly observe: Observe
  /** A fresh UUID for each problem. */
  readonly uuid: () => string
  /** Extension members [RFC 9457 §3.2]. */
  readonly extend?: (problem: Problem, id: string) => object
}

export interface Problems {
  /** Answers with the problem of an error, whatever it is, and records it under the same id. */
  send(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply
}

export function createProblems({ observe, uuid, extend }: ProblemOptions): Problems {
  return {
    send(error, request, reply) {
      const code = problemCode(error)
      const id = uuid()
      const problem = toProblem(code, id)
      const kind: ErrorKind = codes[code]
      observe.record('request.refused', { code, instance: id, detail: textOf(error), ...sourceOf(request) })
      if (kind.retryable) reply.header('retry-after', retryAfterSeconds)
      if (kind.status === 401) reply.header('www-authenticate', 'Bearer')
      return reply
        .code(kind.status)
        .type('application/problem+json')
        .header('cache-control', 'no-store')
        .header('x-amzn-requestid', id)
        .send(extend ? { ...problem, ...extend(problem, id) } : problem)
    },
  }
}

function sourceOf({ ip, method }: FastifyRequest): { readonly sourceIp: string; readonly method: string } {
  return { sourceIp: ip, method }
}

/** Our own codes as they are; what the HTTP server found wrong with a request by its status; the rest is our fault. */
export function problemCode(error: unknown): ErrorCode {
  if (error instanceof GatewayError) return error.code
  const status = (error as { readonly statusCode?: unknown } | undefined)?.statusCode
  if (status === 413) return 'PAYLOAD_TOO_LARGE'
  if (status === 408) return 'REQUEST_TIMEOUT'
  return typeof status === 'number' && status >= 400 && status < 500 ? 'REQUEST_INVALID' : 'INTERNAL'
}

/** For a whole server; a plugin that extends its problems sets an error handler of its own. */
export function answerWithProblems(server: FastifyInstance, problems: Problems): void {
  server.setErrorHandler((error, request, reply) => problems.send(error, request, reply))
  server.setNotFoundHandler((request, reply) => problems.send(new GatewayError('NOT_FOUND', 'no such path'), request, reply))
}

/** What a server needs when it is made, so that requests it cannot even route are answered alike. */
export function problemServerOptions(
  problems: Problems,
  { observe, uuid }: ProblemOptions,
): Pick<FastifyServerOptions, 'frameworkErrors' | 'clientErrorHandler'> {
  return {
    frameworkErrors: (error, request, reply) => void problems.send(error, request as FastifyRequest, reply as FastifyReply),
    clientErrorHandler: (error, socket) => answerSocket(error, socket, { observe, uuid }),
  }
}

/** Bytes that are no request have no reply object; the answer is written by hand and the connection ends. */
function answerSocket(error: NodeJS.ErrnoException, socket: Socket, { observe, uuid }: Pick<ProblemOptions, 'observe' | 'uuid'>): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const code = socketCode(error.code)
  const id = uuid()
  observe.record('request.refused', { code, instance: id, detail: error.code ?? error.message })
  if (socket.writable) endWithProblem(socket, code, id)
  else socket.destroy()
}

/** Closes the connection even when the other side neither reads nor closes. */
export function endWithProblem(socket: Duplex, code: ErrorCode, id: string): void {
  const body = JSON.stringify(toProblem(code, id))
  const { status, retryable } = codes[code]
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    ...(retryable ? [`retry-after: ${retryAfterSeconds}`] : []),
    'connection: close',
  ]
  socket.resume()
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

function socketCode(code: string | undefined): ErrorCode {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'REQUEST_TIMEOUT'
  return code === 'HPE_HEADER_OVERFLOW' ? 'HEADERS_TOO_LARGE' : 'REQUEST_INVALID'
}
