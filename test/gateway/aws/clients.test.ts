import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ListTopicsCommand, SNSClient } from '@aws-sdk/client-sns'
import { ListQueuesCommand, SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import { expect, onTestFinished, test } from 'vitest'
import { createAws } from '../../../gateway/aws/clients.ts'

const where = { region: 'eu-west-1', accountId: '000000000000' }

async function anEmulator() {
  const calls: IncomingHttpHeaders[] = []
  const server = createServer(({ headers }, response) => {
    calls.push(headers)
    response.end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { calls, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

test('each class has one client', () => {
  const aws = createAws(where)
  onTestFinished(() => aws.stop())
  expect(aws.client(SNSClient)).toBeInstanceOf(SNSClient)
  expect(aws.client(SNSClient)).toBe(aws.client(SNSClient))
})

test('an emulator gets the Region and the service of every client in the authorization header', async () => {
  const { calls, endpoint } = await anEmulator()
  const aws = createAws({ ...where, endpoint })
  onTestFinished(() => aws.stop())
  await aws
    .client(SNSClient)
    .send(new ListTopicsCommand())
    .catch(() => undefined) // the answer is not XML
  await aws.sqs.send(new ListQueuesCommand())
  expect(calls.map(({ authorization }) => authorization?.split(',')[0])).toEqual([
    'AWS4-HMAC-SHA256 Credential=local/20260101/eu-west-1/sns/aws4_request',
    'AWS4-HMAC-SHA256 Credential=local/20260101/eu-west-1/sqs/aws4_request',
  ])
})

test('without fast paths every batch goes through the SDK', async () => {
  const { calls, endpoint } = await anEmulator()
  const send = async (fastPaths: boolean) => {
    const aws = createAws({ ...where, endpoint, fastPaths })
    onTestFinished(() => aws.stop())
    let calls = 0
    aws.sqsSender.middlewareStack.add((next) => (args) => next(args).finally(() => calls++), { step: 'serialize' })
    const QueueUrl = aws.queueUrl('telemetry')
    for (let i = 0; i < 3; i++)
      await aws.sqsSender.send(new SendMessageBatchCommand({ QueueUrl, Entries: [{ Id: '0', MessageBody: 'x' }] }))
    return calls
  }
  expect([await send(true), await send(false)]).toEqual([1, 3])
  expect(calls).toHaveLength(6)
})
