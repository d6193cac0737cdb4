import { createHash, createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs'
import { expect, onTestFinished, test } from 'vitest'
import { createAws } from '../../../gateway/aws/clients.ts'
import { addShortcut } from '../../../gateway/aws/shortcut.ts'

interface Call {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}
interface Answer {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body: string
  /** The connection ends before the last byte. */
  readonly cut?: boolean
}

const accepted: Answer = { body: JSON.stringify({ Successful: [{ Id: '0', MessageId: 'm', MD5OfMessageBody: 'd' }], Failed: [] }) }

/** Answers in turn; the last answer is for all that follow. */
async function aServer(...answers: Answer[]) {
  const calls: Call[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    calls.push({ headers: request.headers, body })
    const answer = answers.length > 1 ? answers.shift()! : (answers[0] ?? accepted)
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/x-amz-json-1.0', ...answer.headers })
    if (answer.cut) response.write(answer.body, () => response.destroy())
    else response.end(answer.body)
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  return { calls, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const secretAccessKey = 'not a secret'

/** With signatures, as for AWS. */
function aClient(endpoint: string): SQSClient {
  const credentials = { accessKeyId: 'AKID', secretAccessKey, sessionToken: 'session' }
  const client = new SQSClient({ endpoint, region: 'eu-west-1', credentials, maxAttempts: 1, md5: false, cacheMiddleware: true })
  onTestFinished(() => client.destroy())
  return addShortcut(client)
}

function send(client: SQSClient, endpoint: string, text = 'reading') {
  const MessageAttributes = { tenant: { DataType: 'String', StringValue: `${text} é 🧊` } }
  const entry = { Id: '0', MessageBody: `{"text":"${text} \\ é 🧊 \u0085"}`, MessageGroupId: 'acme', MessageAttributes }
  return client.send(new SendMessageBatchCommand({ QueueUrl: `${endpoint}/000000000000/telemetry`, Entries: [entry] }))
}

/** Signature Version 4 as AWS documents it, from what arrived [AWS reference_sigv-create-signed-request]. */
function signatureOf({ headers, body }: Call): string {
  const [, scope = '', names = ''] = /Credential=AKID\/(\S+), SignedHeaders=(\S+),/.exec(headers.authorization ?? '') ?? []
  const canonical = names.split(';').map((name) => `${name}:${headers[name]}\n`)
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
  const request = ['POST', '/', '', canonical.join(''), names, sha256(body)].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(request)].join('\n')
  const key = scope
    .split('/')
    .reduce<Buffer | string>((key, part) => createHmac('sha256', key).update(part).digest(), `AWS4${secretAccessKey}`)
  return createHmac('sha256', key).update(toSign).digest('hex')
}

test('the shortcut sends and answers what the long way does', async () => {
  const { calls, endpoint } = await aServer()
  const client = aClient(endpoint)
  const [long, short] = [await send(client, endpoint), await send(client, endpoint)]
  const [first, second] = calls
  expect(JSON.parse(second!.body)).toEqual(JSON.parse(first!.body))
  expect(short.Successful).toEqual(long.Successful)
  expect(short.$metadata.httpStatusCode).toBe(200)
  const compared = ({ headers }: Call) => {
    const { 'amz-sdk-request': attempt, 'amz-sdk-invocation-id': _, 'user-agent': __, ...rest } = headers
    // These change with the time, or with the order of the members.
    for (const name of ['authorization', 'x-amz-date', 'x-amz-content-sha256']) expect(rest[name]).toBeDefined()
    const { authorization, 'x-amz-date': date, 'x-amz-content-sha256': sum, ...same } = rest
    return { rest: same, retried: attempt !== undefined }
  }
  expect(compared(first!).retried).toBe(true)
  expect(compared(second!).retried).toBe(false)
  expect(compared(second!).rest).toEqual(compared(first!).rest)
})

test('every call is signed for its own body', async () => {
  const { calls, endpoint } = await aServer()
  const client = aClient(endpoint)
  for (const text of ['one', 'two', 'three, which is longer']) await send(client, endpoint, text)
  for (const call of calls) {
    expect(call.headers['x-amz-security-token']).toBe('session')
    expect(call.headers.authorization).toContain(`Signature=${signatureOf(call)}`)
  }
  expect(new Set(calls.map(({ headers }) => headers.authorization)).size).toBe(3)
})

test('credentials that run out are asked for again', async () => {
  const { calls, endpoint } = await aServer()
  let asked = 0
  const credentials = async () => ({ accessKeyId: `AKID${++asked}`, secretAccessKey, expiration: new Date(Date.now() + 1_000) })
  const client = addShortcut(
    new SQSClient({ endpoint, region: 'eu-west-1', credentials, maxAttempts: 1, md5: false, cacheMiddleware: true }),
  )
  onTestFinished(() => client.destroy())
  for (let i = 0; i < 3; i++) await send(client, endpoint)
  const keys = calls.map(({ headers }) => /Credential=(\w+)\//.exec(headers.authorization ?? '')?.[1])
  expect(new Set(keys).size).toBe(3)
})

test('errors keep their names and their status', async () => {
  const missing = { __type: 'com.amazonaws.sqs#QueueDoesNotExist', message: 'there is none' }
  const query = { 'x-amzn-query-error': 'AWS.SimpleQueueService.NonExistentQueue;Sender' }
  const { endpoint } = await aServer(
    accepted,
    { status: 400, headers: query, body: JSON.stringify(missing) },
    { status: 503, body: '<html>' },
    { status: 200, body: '{"Successful":' },
    accepted,
  )
  const client = aClient(endpoint)
  await send(client, endpoint)
  await expect(send(client, endpoint)).rejects.toMatchObject({ name: 'QueueDoesNotExist', $metadata: { httpStatusCode: 400 } })
  await expect(send(client, endpoint)).rejects.toMatchObject({ name: 'SyntaxError', $metadata: { httpStatusCode: 503 } })
  await expect(send(client, endpoint)).rejects.toMatchObject({ name: 'SyntaxError', $metadata: { httpStatusCode: 200 } })
  await expect(send(client, endpoint)).resolves.toMatchObject({ Successful: [{ Id: '0' }] })
})

test('an answer that ends too early is an error', async () => {
  const { endpoint } = await aServer(accepted, { ...accepted, cut: true }, accepted)
  const client = aClient(endpoint)
  await send(client, endpoint)
  await expect(send(client, endpoint)).rejects.toMatchObject({ code: 'ECONNRESET' })
  await expect(send(client, endpoint)).resolves.toMatchObject({ Successful: [{ Id: '0' }] })
})

test('a clock that is wrong is corrected by what the refusal says', async () => {
  const skewed = { status: 403, body: JSON.stringify({ __type: 'RequestTimeTooSkewed', message: 'too late' }) }
  const { calls, endpoint } = await aServer(accepted, { ...skewed, headers: { date: 'Tue, 01 Jan 2041 12:00:00 GMT' } }, accepted)
  const client = aClient(endpoint)
  await send(client, endpoint)
  await expect(send(client, endpoint)).rejects.toMatchObject({ name: 'RequestTimeTooSkewed' })
  await send(client, endpoint)
  expect(calls[1]?.headers['x-amz-date']).not.toContain('20410101T')
  expect(calls[2]?.headers['x-amz-date']).toContain('20410101T')
})

test('each endpoint has its own way', async () => {
  const [here, there] = [await aServer(), await aServer()]
  const credentials = { accessKeyId: 'AKID', secretAccessKey }
  // Without an endpoint of its own, a client calls the host of the queue.
  const quiet = () => undefined
  const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet }
  const client = addShortcut(new SQSClient({ region: 'eu-west-1', credentials, maxAttempts: 1, md5: false, cacheMiddleware: true, logger }))
  onTestFinished(() => client.destroy())
  for (const { endpoint } of [here, there, here, there]) await send(client, endpoint)
  expect([here.calls.length, there.calls.length]).toEqual([2, 2])
  expect(there.calls.map(({ headers }) => `http://${headers.host}`)).toEqual([there.endpoint, there.endpoint])
})

test('an emulator has one address, whatever the URL of the queue says', async () => {
  const { endpoint, calls } = await aServer()
  const aws = createAws({ endpoint, region: 'us-east-1', accountId: '000000000000' })
  onTestFinished(() => aws.stop())
  await send(aws.sqsSender, endpoint)
  await send(aws.sqsSender, 'http://localhost:1')
  expect(calls).toHaveLength(2)
})

test('a call that nobody answers is given up', async () => {
  const server = createServer((request, response) => {
    if (calls++ === 0) request.resume().on('end', () => response.end(accepted.body))
  }).listen(0, '127.0.0.1')
  let calls = 0
  await once(server, 'listening')
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const aws = createAws({ endpoint, region: 'us-east-1', accountId: '000000000000', requestTimeoutMs: 100 })
  onTestFinished(() => {
    aws.stop()
    server.closeAllConnections()
    server.close()
  })
  await send(aws.sqsSender, endpoint)
  await expect(send(aws.sqsSender, endpoint)).rejects.toMatchObject({ name: 'TimeoutError' })
})
