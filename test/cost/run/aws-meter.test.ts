// Calls to SQS and SNS as the meter in front of them counts them.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { startAwsMeter } from '../../../cost/run/aws-meter.ts'

const stops: (() => unknown)[] = []
afterEach(() => Promise.all(stops.splice(0).map((stop) => stop())))

async function aMeter(answer: object) {
  const server = createServer((request, response) => request.resume().once('end', () => response.end(JSON.stringify(answer))))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const meter = await startAwsMeter((server.address() as AddressInfo).port)
  stops.push(meter.stop, () => server.close())
  const call = async (target: string, body: object) => {
    const headers = { 'x-amz-target': `AmazonSQS.${target}` }
    return (await fetch(meter.endpoint, { method: 'POST', headers, body: JSON.stringify(body) })).json()
  }
  return { meter, call }
}

test('a batch is one request for each 64 KB of its bodies together', async () => {
  const { meter, call } = await aMeter({})
  const entries = (bytes: number) => ({ Entries: [{ MessageBody: 'x'.repeat(bytes) }, { MessageBody: 'y' }] })
  await call('SendMessageBatch', entries(65_535))
  await call('SendMessageBatch', entries(65_536))
  await call('SendMessage', { MessageBody: 'x' })
  expect(meter.calls()).toEqual({
    SendMessageBatch: { calls: 2, requests: 3, messages: 4, empty: 0 },
    SendMessage: { calls: 1, requests: 1, messages: 1, empty: 0 },
  })
  meter.reset()
  expect(meter.calls()).toEqual({})
})

test('an empty receive is a request, and told apart', async () => {
  const { meter, call } = await aMeter({ Messages: [] })
  expect(await call('ReceiveMessage', {})).toEqual({ Messages: [] })
  expect(meter.calls()).toEqual({ ReceiveMessage: { calls: 1, requests: 1, messages: 0, empty: 1 } })
})

test('a receive is as large as what it brings; SNS says its call in a form', async () => {
  const { meter, call } = await aMeter({ Messages: [{ Body: 'x'.repeat(70_000) }, { Body: 'y' }] })
  await call('ReceiveMessage', {})
  await fetch(meter.endpoint, { method: 'POST', body: new URLSearchParams({ Action: 'Publish', Message: 'é'.repeat(40_000) }) })
  expect(meter.calls()).toEqual({
    ReceiveMessage: { calls: 1, requests: 2, messages: 2, empty: 0 },
    Publish: { calls: 1, requests: 2, messages: 1, empty: 0 },
  })
})
