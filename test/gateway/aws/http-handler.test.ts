// What a delivery is told when the network, and not AWS, is the one to answer.
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createAwsHttp } from '../../../gateway/aws/http-handler.ts'

async function aCall(answer: (response: ServerResponse, body: string) => void, requestTimeoutMs = 5_000) {
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    answer(response, body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const http = createAwsHttp({ maxSockets: 2, connectTimeoutMs: 1_000, requestTimeoutMs })
  onTestFinished(() => {
    http.destroy()
    server.close()
  })
  const request = { protocol: 'http:', hostname: '127.0.0.1', path: '/', method: 'POST', headers: { 'x-amz-target': 'T' }, body: 'é 🧊' }
  return { server, call: () => http.handle({ ...request, port }) }
}

test('the answer comes whole, whatever its status and however many pieces it came in', async () => {
  const { call } = await aCall((response, body) => {
    response.writeHead(503, { 'X-Amzn-ErrorType': 'Busy' })
    response.write(body)
    setImmediate(() => response.end('!'))
  })
  const { response } = await call()
  expect(response.statusCode).toBe(503)
  expect(response.headers['x-amzn-errortype']).toBe('Busy')
  expect(response.body.toString()).toBe('é 🧊!')
})

test('an answer without a body is an empty one', async () => {
  const { call } = await aCall((response) => response.end())
  expect((await call()).response.body).toHaveLength(0)
})

test('a connection that ends before the answer does has its errno', async () => {
  const { call } = await aCall((response) => response.destroy())
  await expect(call()).rejects.toMatchObject({ code: 'ECONNRESET' })
})

test('nobody listens', async () => {
  const { server, call } = await aCall((response) => response.end())
  server.close()
  await once(server, 'close')
  await expect(call()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('nobody answers in time', async () => {
  const { call } = await aCall(() => {}, 100)
  await expect(call()).rejects.toMatchObject({ name: 'TimeoutError' })
})
