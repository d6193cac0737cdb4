// Lines of `weir up` that somebody reads while it runs.
import { expect, test } from 'vitest'
import { alertLine, createRefusals } from '../../bin/screen.ts'
import { createMetrics } from '../../gateway/observe/metrics.ts'

const line = (body: unknown) => alertLine(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), false)
const alert = { alert: 'warm', tenant: 'acme', site: 's1', device: 'f1', temperature: -9, door: 'open' }
const envelope = (Message: string) => ({ Type: 'Notification', MessageId: 'm', TopicArn: 'arn', Message })

test.each([
  ['an alert of the demo', alert, 'ALERT  warm  acme / s1 / f1  -9 °C, door open'],
  ['the same in an envelope of SNS', envelope(JSON.stringify(alert)), 'ALERT  warm  acme / s1 / f1  -9 °C, door open'],
  ['JSON of somebody else in an envelope', envelope('{"watts":3000}'), 'ALERT  {"watts":3000}'],
  ['text in an envelope', envelope('too hot'), 'ALERT  too hot'],
  ['JSON that is no envelope', { Type: 'x', Message: 'y' }, 'ALERT  {"Type":"x","Message":"y"}'],
  ['null', 'null', 'ALERT  null'],
  ['a long one', 'x'.repeat(300), `ALERT  ${'x'.repeat(200)} …`],
])('%s', (_, body, expected) => expect(line(body)).toBe(expected))

test('a reason for refusing is told once, and a broken connection is none', () => {
  const metrics = createMetrics()
  const out: string[] = []
  const refusals = createRefusals({ write: (text: string) => out.push(text) > 0 } as NodeJS.WritableStream, false)
  refusals.tell(metrics)
  metrics.count('client.failed', { code: 'PROTOCOL' })
  metrics.count('client.failed', { code: 'NOT_AUTHORIZED' })
  metrics.count('message.refused', { code: 'NOT_AUTHORIZED', count: 2 })
  refusals.tell(metrics)
  metrics.count('client.refused', { code: 'NOT_AUTHORIZED' })
  refusals.tell(metrics)
  expect(out).toEqual(['REFUSED  NOT_AUTHORIZED, 3 so far: the connection may not do this; who and what is in the log at level warn\n'])
})
