import { expect, test } from 'vitest'
import { consumerSchema } from '../../../gateway/consume/consumer-config.ts'

const smallest = { queue: 'telemetry', handler: { kind: 'log' } }

test('queue and handler are enough', () => {
  expect(consumerSchema.parse(smallest)).toMatchObject({
    handler: { kind: 'log', body: false },
    concurrency: 10,
    receivers: 4,
    visibilityTimeout: 30_000,
    handlerTimeout: 60_000,
    maxReceives: 5,
    fairness: true,
    perTenant: { weights: {} },
    retry: { base: 1_000, cap: 300_000 },
  })
})

test('durations and rates are parsed once', () => {
  const config = consumerSchema.parse({
    ...smallest,
    rate: '50/s',
    visibilityTimeout: '2m',
    perTenant: { rate: '30/m', weights: { acme: 2 } },
  })
  expect(config).toMatchObject({ rate: 50, visibilityTimeout: 120_000, perTenant: { rate: 0.5, weights: { acme: 2 } } })
})

test.each([
  [{ rate: 'fast' }, 'rate'],
  [{ visibilityTimeout: '13h' }, 'visibilityTimeout'],
  [{ visibilityTimeout: 'soon' }, 'visibilityTimeout'],
  [{ wait: '21s' }, 'wait'],
  [{ handlerTimeout: '13h' }, 'handlerTimeout'],
  [{ handler: { kind: 'shell' } }, 'handler.kind'],
  [{ handler: { kind: 'http', url: 'ftp://x' } }, 'handler.url'],
  [{ queue: 'door.fifo', sideline: { queue: 'overflow' } }, 'sideline'],
  [{ perTenant: { weights: { acme: 0 } } }, 'perTenant.weights.acme'],
  [{ concurency: 3 }, ''],
])('%j is refused at %s', (more, path) => {
  const parsed = consumerSchema.safeParse({ ...smallest, ...more })
  expect(parsed.error?.issues.map((issue) => issue.path.join('.'))).toContain(path)
})
