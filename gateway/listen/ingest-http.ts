// `POST /topics/<topic>?qos=1`: publishing over HTTP as to AWS IoT Core's HTTPS endpoint.
import type { Socket } from 'node:net'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { GatewayError } from '../errors.ts'
import type { MqttProperties } from '../message/message.ts'
import type { Observe } from '../observe/observe.ts'
import { credentialsOf, type RequestCredentials } from './credentials.ts'
import { createProblems } from './problem.ts'
import type { Publication } from './publisher.ts'
import { hasDotSegment } from './target.ts'

export interface HttpIngestOptions {
  /** Resolves once the message is durable; only then is it answered with 200. Throws GatewayErrors, whose codes become the answer. */
  readonly publish: (publication: Publication, credentials: RequestCredentials, socket: Socket) => Promise<void>
  readonly observe: Observe
  readonly uuid: () => string
  readonly maxPayloadBytes: number
}

/** AWS's word for a status, where its documentation has one [AWS iot data plane, Publish]. */
const messages: Readonly<Record<number, string>> = {
  400: 'InvalidRequestException',
  401: 'UnauthorizedException',
  403: 'Forbidden',
  405: 'MethodNotAllowedException',
  429: 'ThrottlingException',
  500: 'InternalFailureException',
  503: 'ServiceUnavailableException',
}

export function createHttpIngest({ publish, observe, uuid, maxPayloadBytes }: HttpIngestOptions): FastifyPluginAsync {
  // Clients of AWS read `message` and `traceId`, everybody else the problem document around them.
  const problems = createProblems({
    observe,
    uuid,
    extend: ({ title, status }, id) => ({ message: messages[status] ?? title, traceId: id }),
  })
  return async (server) => {
    server.setErrorHandler((error, request, reply) => problems.send(error, request, reply))
    // The payload is bytes, whatever its content type claims.
    server.removeAllContentTypeParsers()
    server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    server.post('/topics/*', { bodyLimit: maxPayloadBytes }, async (request, reply) => {
      await publish(toPublish(request), credentialsOf(request.raw), request.raw.socket)
      const traceId = uuid()
      return reply.header('x-amzn-requestid', traceId).header('cache-control', 'no-store').send({ message: 'OK', traceId })
    })
    server.route({
      method: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
      url: '/topics/*',
      handler(_request, reply) {
        reply.header('allow', 'POST')
        throw new GatewayError('METHOD_NOT_ALLOWED', 'a topic is published to with POST')
      },
    })
  }
}

function toPublish({ raw, query, headers, body }: FastifyRequest): Publication {
  const asked = query as Readonly<Record<string, unknown>>
  const properties = propertiesOf(asked, headers)
  return {
    topic: topicOf(raw.url ?? ''),
    payload: Buffer.isBuffer(body) ? body : Buffer.alloc(0),
    qos: choose(asked, 'qos', { '0': 0, '1': 1 } as const) ?? 0,
    retain: choose(asked, 'retain', { true: true, false: false } as const) ?? false,
    ...(Object.keys(properties).length > 0 ? { properties } : {}),
  }
}

const prefix = '/topics/'

/**
 * The rest of the path, percent-decoded once; a slash may be literal or `%2F` [AWS iot data plane, Publish]. The router also matches
 * `/%74opics/a` and ignores dot segments, so the path is checked again here.
 */
function topicOf(url: string): string {
  const path = url.split('?', 1)[0]!
  if (!path.startsWith(prefix)) throw new GatewayError('NOT_FOUND', `the path must start with ${prefix}, not percent-encoded`)
  if (hasDotSegment(path)) throw invalid('the path has a segment . or ..; write the slashes of the topic as %2F')
  try {
    return decodeURIComponent(path.slice(prefix.length))
  } catch {
    throw invalid('the topic is not percent-encoded UTF-8')
  }
}

const invalid = (why: string) => new GatewayError('REQUEST_INVALID', why)

/** A query parameter that is there once; a second one would be a second opinion. */
function single(query: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = query[name]
  if (value !== undefined && typeof value !== 'string') throw invalid(`${name} is there twice`)
  return value
}

function choose<T>(query: Readonly<Record<string, unknown>>, name: string, values: Readonly<Record<string, T>>): T | undefined {
  const text = single(query, name)
  if (text === undefined) return undefined
  if (!Object.hasOwn(values, text)) throw invalid(`${name} must be ${Object.keys(values).join(' or ')}`)
  return values[text]
}

/** The MQTT 5 properties that AWS takes from query and headers [AWS iot data plane, Publish]. */
function propertiesOf(query: Readonly<Record<string, unknown>>, headers: FastifyRequest['headers']): MqttProperties {
  const header = (name: string) => {
    const value = headers[`x-amz-mqtt5-${name}`]
    return Array.isArray(value) ? value.join(',') : value
  }
  const contentType = toText(single(query, 'contentType'), 'contentType')
  const responseTopic = toText(single(query, 'responseTopic'), 'responseTopic')
  const messageExpiryIntervalSeconds = toSeconds(single(query, 'messageExpiry'))
  const payloadFormatIndicator = toIndicator(header('payload-format-indicator'))
  const correlationData = toBytes(header('correlation-data'), 'correlation data')
  const userProperties = toUserProperties(header('user-properties'))
  return {
    ...(contentType === undefined ? {} : { contentType }),
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(messageExpiryIntervalSeconds === undefined ? {} : { messageExpiryIntervalSeconds }),
    ...(payloadFormatIndicator === undefined ? {} : { payloadFormatIndicator }),
    ...(correlationData === undefined ? {} : { correlationData }),
    ...(userProperties === undefined ? {} : { userProperties }),
  }
}

/** A UTF-8 string of MQTT holds no U+0000 [MQTT5-1.5.4-2]. */
function toText(text: string | undefined, what: string): string | undefined {
  if (text?.includes('\0')) throw invalid(`${what} must not hold the character U+0000`)
  return text
}

function toSeconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,10}$/.test(text) || Number(text) > 0xffff_ffff) throw invalid('messageExpiry must be a number of seconds below 2^32')
  return Number(text)
}

function toIndicator(text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined
  if (text !== 'UTF8_DATA' && text !== 'UNSPECIFIED_BYTES')
    throw invalid('the payload format indicator must be UTF8_DATA or UNSPECIFIED_BYTES')
  return text === 'UTF8_DATA'
}

function toBytes(text: string | undefined, what: string): Buffer | undefined {
  if (text === undefined) return undefined
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw invalid(`${what} must be base64`)
  return Buffer.from(text, 'base64')
}

/** Base64 of `[{"name":"value"}, …]`: one pair an object, so that names may repeat and keep their order. */
function toUserProperties(text: string | undefined): readonly (readonly [string, string])[] | undefined {
  const bytes = toBytes(text, 'user properties')
  if (bytes === undefined) return undefined
  const list = parseJson(bytes.toString())
  if (!Array.isArray(list)) throw invalid('user properties must be a JSON array')
  return list.map((item: unknown) => {
    const [pair, ...more] = typeof item === 'object' && item !== null ? Object.entries(item as Record<string, unknown>) : []
    if (!pair || more.length > 0 || typeof pair[1] !== 'string') throw invalid('a user property must be an object with one text')
    return [pair[0], pair[1]]
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid('user properties must be JSON')
  }
}
