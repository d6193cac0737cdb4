// Estimates: sorted, complete, and honest about what they cannot say.
import { describe, expect, test } from 'vitest'
import { estimateAll, estimatePath } from '../../cost/estimate.ts'
import { parseUsd } from '../../cost/money.ts'
import { pathNames } from '../../cost/paths.ts'
import { loadPriceBook } from '../../cost/price-book.ts'
import { parseWorkload } from '../../cost/workload.ts'

const book = loadPriceBook('us-east-1')

test('ten thousand devices, one message a minute: the bill of an always-on MQTT device, item by item', () => {
  const { lineItems, totalNanoDollars, confidence } = estimatePath('iot-mqtt', parseWorkload({}), book)
  expect(lineItems.map(({ item, nanoDollars }) => [item, nanoDollars])).toEqual([
    ['iotCore.connectionMinutes', parseUsd('34.56')],
    ['iotCore.messages', parseUsd('432.30')],
    ['iotCore.rulesTriggered', parseUsd('64.80')],
    ['iotCore.actionsExecuted', parseUsd('64.80')],
    ['sqs.standardRequests', parseUsd('207.41184')],
  ])
  expect(totalNanoDollars).toBe(parseUsd('803.87184'))
  expect(confidence).toBe('verified')
})

test('every path is priced or says why not, cheapest first', () => {
  const { estimates, unpriced } = estimateAll(parseWorkload({}))
  expect([...estimates, ...unpriced].map(({ path }) => path).sort()).toEqual([...pathNames].sort())
  expect(unpriced.map(({ path }) => path)).toEqual(['hivemq-cloud'])
  const totals = estimates.map(({ totalNanoDollars }) => totalNanoDollars)
  expect(totals).toEqual(totals.toSorted((a, b) => Number(a - b)))
})

test('in Ireland the WebSocket paths have no price, and say which', () => {
  const { unpriced } = estimateAll(parseWorkload({ region: 'eu-west-1' }))
  expect(unpriced.find(({ path }) => path === 'api-websocket-sqs')!.reason).toMatch('no price for apiGateway.webSocketMessages')
})

test('allowances and labour', () => {
  const workload = parseWorkload({ labourUsd: 1_000, devices: 10 })
  const paid = estimatePath('weir-ec2', workload, book).totalNanoDollars
  expect(paid - estimatePath('weir-ec2', { ...workload, labourUsd: 0 }, book).totalNanoDollars).toBe(parseUsd('1000'))
  expect(estimatePath('iot-https', workload, book, 'all').totalNanoDollars).toBeLessThan(
    estimatePath('iot-https', workload, book).totalNanoDollars,
  )
})

describe('bad workloads get a sentence', () => {
  test.each([
    [{ devices: -5 }, 'devices cannot be -5: expected more than 0'],
    [{ intervalMs: 0 }, 'intervalMs cannot be 0: expected more than 0'],
    [{ intervalMs: 1 }, 'intervalMs cannot be 1: IoT Core takes 100 messages a second of a device at most'],
    [{ devices: 1e9 }, 'devices cannot be 1000000000'],
    [{ qos: 2 }, 'qos cannot be 2: expected 0 or 1'],
    [{ keepAliveMs: 1_000 }, 'keepAliveMs cannot be 1000: AWS IoT Core accepts 30s at least'],
    [{ payloadByte: 1 }, 'payloadByte is not a known field; did you mean "payloadBytes"?'],
  ])('%j', (fields, message) => expect(() => parseWorkload(fields)).toThrow(message))
})
