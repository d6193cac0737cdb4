// What is in a queue, read over plain HTTP with SQS's JSON protocol, as curl would.
import { onTestFinished } from 'vitest'
import { type Local, startLocal } from '../../gateway/local/local.ts'
import { createSpyObserve } from './spy-observe.ts'

export interface Received {
  readonly body: string
  readonly attributes: Readonly<Record<string, string>>
}

/** Receives and deletes until the queue is empty, `workers` calls at a time; with one, in the order of the queue. */
export async function receiveAll(port: number, queue: string, workers = 1): Promise<readonly Received[]> {
  const all: Received[] = []
  await Promise.all(Array.from({ length: workers }, () => receiveInto(all, port, queue)))
  return all
}

async function receiveInto(all: Received[], port: number, queue: string): Promise<void> {
  for (;;) {
    const { Messages = [] } = await call(port, 'ReceiveMessage', {
      QueueUrl: queueUrl(port, queue),
      MaxNumberOfMessages: 10,
      MessageAttributeNames: ['All'],
    })
    if (Messages.length === 0) return
    for (const { Body, MessageAttributes = {} } of Messages) {
      const attributes = Object.entries<{ StringValue: string }>(MessageAttributes).map(([name, { StringValue }]) => [name, StringValue])
      all.push({ body: Body, attributes: Object.fromEntries(attributes) })
    }
    const Entries = (Messages as { ReceiptHandle: string }[]).map(({ ReceiptHandle }, Id) => ({ Id: String(Id), ReceiptHandle }))
    await call(port, 'DeleteMessageBatch', { QueueUrl: queueUrl(port, queue), Entries })
  }
}

export const queueUrl = (port: number, queue: string) => `http://127.0.0.1:${port}/000000000000/${queue}`

// biome-ignore lint/suspicious/noExplicitAny: whatever SQS answers
export async function call(port: number, action: string, body: object): Promise<any> {
  const response = await fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `AmazonSQS.${action}` },
    body: JSON.stringify(body),
  })
  return response.json()
}

/** SQS and SNS in a process of their own, until the test ends. */
export async function anSqs(): Promise<Local> {
  const local = await startLocal({ port: 0, region: 'us-east-1', observe: createSpyObserve() })
  onTestFinished(() => local.stop())
  return local
}
