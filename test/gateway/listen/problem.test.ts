import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { type FastifyInstance, fastify } from 'fastify'
import { afterEach, describe, expect, test } from 'vitest'
import { codes, type ErrorCode, GatewayError } from '../../../gateway/errors.ts'
import { answerWithProblems, createProblems, problemCode, problemServerOptions, toProblem } from '../../../gateway/listen/problem.ts'
import { insideOf } from '../../helpers/inside.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const id = '00000000-0000-4000-8000-000000000001'

describe('every row of the catalogue is a problem', () => {
  test.each(Object.keys(codes) as ErrorCode[])('%s', (code) => {
    const problem = toProblem(code, id)
    expect(problem).toEqual({
      type: expect.stringMatching(/^urn:weir:problem:[a-z0-9-]+$/),
      title: expect.stringMatching(/^[a-z0-9 ]+$/),
      status: codes[code].status,
      detail: codes[code].means,
      instance: `urn:uuid:${id}`,
    })
    expect(problem.status).toBeGreaterThanOrEqual(400)
    expect(insideOf(JSON.stringify(problem))).toEqual([])
  })
})

test.each<[what: string, error: unknown, code: ErrorCode]>([
  ['ours', new GatewayError('SPOOL_FULL', 'x'), 'SPOOL_FULL'],
  ['a body too large', Object.assign(new Error('x'), { statusCode: 413 }), 'PAYLOAD_TOO_LARGE'],
  ['a bad request', Object.assign(new Error('x'), { statusCode: 415 }), 'REQUEST_INVALID'],
  ['a mistake of ours', new TypeError('x is not a function'), 'INTERNAL'],
  ['a text', 'x', 'INTERNAL'],
  ['nothing', undefined, 'INTERNAL'],
])('%s becomes its code', (_what, error, code) => {
  expect(problemCode(error)).toBe(code)
})

let server: FastifyInstance | undefined
afterEach(() => server?.close())

function setUp(error: unknown) {
  const observe = createSpyObserve()
  const options = { observe, uuid: () => id }
  const problems = createProblems(options)
  const made = fastify({
    logger: false,
    requestTimeout: 50,
    http: { connectionsCheckingInterval: 10 },
    ...problemServerOptions(problems, options),
  })
  answerWithProblems(made, problems)
  made.get('/', () => {
    throw error
  })
  server = made
  return { server: made, observe }
}

test('the answer says the code, the log says why, under one id', async () => {
  const { server, observe } = setUp(new GatewayError('SPOOL_FULL', 'no room in /var/lib/weir on disk7', { details: { arn: 'arn:aws:x' } }))
  const answer = await server.inject('/')
  expect(answer.statusCode).toBe(503)
  expect(answer.headers).toMatchObject({
    'content-type': expect.stringMatching(/^application\/problem\+json/),
    'retry-after': '1',
    'x-amzn-requestid': id,
    'cache-control': 'no-store',
  })
  expect(answer.json()).toEqual(toProblem('SPOOL_FULL', id))
  expect(observe.of('request.refused')).toEqual([
    { code: 'SPOOL_FULL', instance: id, detail: 'no room in /var/lib/weir on disk7', sourceIp: '127.0.0.1', method: 'GET' },
  ])
})

test('a mistake of ours tells the client nothing', async () => {
  const { server } = setUp(new TypeError('Cannot read properties of undefined (reading arn:aws:sqs)'))
  const answer = await server.inject('/')
  expect(answer.statusCode).toBe(500)
  expect(insideOf(answer.body)).toEqual([])
  expect(answer.body).not.toContain('undefined')
})

test('who has to say who he is hears how', async () => {
  const { server } = setUp(new GatewayError('NOT_AUTHENTICATED', 'x'))
  expect((await server.inject('/')).headers['www-authenticate']).toBe('Bearer')
})

test('unknown paths and broken ones get problems too', async () => {
  const { server } = setUp(undefined)
  const unknown = await server.inject('/no/such')
  expect([unknown.statusCode, unknown.json().type]).toEqual([404, 'urn:weir:problem:not-found'])
  const broken = await server.inject('/%C0%AF')
  expect(broken.headers['content-type']).toMatch(/^application\/problem\+json/)
  expect([broken.statusCode, broken.json().type]).toEqual([400, 'urn:weir:problem:request-invalid'])
  expect(insideOf(broken.body)).toEqual([])
})

describe('bytes that are no request', () => {
  async function send(text: string): Promise<string> {
    const { server } = setUp(undefined)
    await server.listen({ host: '127.0.0.1', port: 0 })
    const socket = connect({ host: '127.0.0.1', port: (server.server.address() as AddressInfo).port })
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => undefined)
    socket.write(text)
    await once(socket, 'close')
    return Buffer.concat(chunks).toString()
  }

  test.each<[what: string, text: string, status: number]>([
    ['nonsense', 'nonsense\r\n\r\n', 400],
    ['two lengths', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab', 400],
    ['a length and chunks', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['headers without end', `GET / HTTP/1.1\r\nhost: x\r\nlong: ${'x'.repeat(40_000)}\r\n\r\n`, 431],
    ['a request that never ends', 'GET / HTTP/1.1\r\nhost: x\r\n', 408],
  ])('%s', async (_what, text, status) => {
    const answer = await send(text)
    expect(answer.split('\r\n')[0]).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ status, instance: `urn:uuid:${id}` })
    expect(insideOf(answer)).toEqual([])
  })
})
