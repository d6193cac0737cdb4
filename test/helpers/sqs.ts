// What is in a queue, read over plain HTTP with SQS's JSON protocol, as curl would.

export interface Received {
  readonly body: string
  readonly attributes: Readonly<Record<string, string>>
}

/** Receives and deletes until the queue is empty. */
export async function receiveAll(port: number, queue: string): Promise<readonly Received[]> {
  const all: Received[] = []
  for (;;) {
    const { Messages = [] } = await call(port, 'ReceiveMessage', {
      QueueUrl: queueUrl(port, queue),
      MaxNumberOfMessages: 10,
      MessageAttributeNames: ['All'],
    })
    if (Messages.length === 0) return all
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
