// The ten answers against arithmetic done by hand.
import { describe, expect, test, vi } from 'vitest'
import { loadPriceBook } from '../../../cost/price-book.ts'
import type { Answer } from '../../../cost/questions/answer.ts'
import { questions } from '../../../cost/questions/index.ts'
import { bestPacking } from '../../../cost/questions/packing.ts'
import { parseWorkload } from '../../../cost/workload.ts'

const usual = new Map<number, Answer>()
const answer = (number: number, fields?: object): Answer => {
  if (fields) return questions[number - 1]!.answer(parseWorkload({ ...fields }))
  const known = usual.get(number) ?? questions[number - 1]!.answer(parseWorkload({}))
  usual.set(number, known)
  return known
}
const row = (number: number, ...labels: readonly string[]) =>
  answer(number).rows.find((cells) => labels.every((label, i) => cells[i] === label))!

test('1: 1.00, 0.80 and 0.70 a million messages over 0.08 a million minutes', () => {
  expect(answer(1).rows.map((cells) => cells[2])).toEqual(['12.5 min', '10 min', '8.75 min'])
  expect(answer(1).rows.map((cells) => cells[3])).toEqual(['16.25 min', '13.75 min', '12.5 min'])
  expect(answer(1, { region: 'eu-central-1' }).rows[0]![2]).toBe('12.5 min')
})

test('a region without the prices has no answer, and no NaN', () => {
  expect(() => answer(1, { region: 'sa-east-1' })).toThrow('sa-east-1 has no price for iotCore.')
})

// The regions ask eight questions in three books.
vi.setConfig({ testTimeout: 30_000 })

describe('2', () => {
  test('HTTPS publishes undercut an always-on device at every interval', () => {
    expect(row(2, 'broker only', 'iot-https')[2]).toBe('always iot-https')
  })

  test('the broker alone against an HTTP API: 3,486 dollars of connection a million devices are 0.03 a million messages cheaper', () => {
    expect(row(2, 'broker only', 'iot-mqtt-reconnect')[2]).toBe('iot-mqtt up to 13.38 min, then iot-mqtt-reconnect')
  })

  test('acknowledgements decide against a WebSocket API', () => {
    expect(row(2, 'rule, action, SQS', 'api-websocket-sqs with acknowledgements')[2]).toBe('always iot-mqtt')
    expect(row(2, 'rule, action, SQS', 'api-websocket-sqs without acknowledgements')[2]).toBe(
      'api-websocket-sqs up to 1.772 min, then iot-mqtt',
    )
  })
})

test('3: the step is on the byte after 5,120 minus the topic', () => {
  expect(row(3, 'WebSocket, no acknowledgements', 'payload, every 1 min')[2]).toBe('iot-mqtt up to 5,077 bytes, then api-websocket-sqs')
  expect(answer(3, { topicBytes: 100 }).rows[1]![2]).toBe('iot-mqtt up to 5,020 bytes, then api-websocket-sqs')
})

test('4: the third message tier of IoT Core undercuts the second of HTTP API', () => {
  // 43,200 messages a device: 1e9 + 4e9 x 0.8 + (m - 5e9) x 0.7 + 0.0807 x n = 0.3e9 + (m - 0.3e9) x 0.9 in millionths of a dollar
  const found = row(
    4,
    'no rule, no queue',
    '1 min',
    'IoT Core MQTT, topic + rule / HTTP API'.replace('HTTP API', 'API Gateway HTTP API → SQS'),
  )
  expect(found[3]).toBe('api-http-sqs up to 129,770 devices, then iot-mqtt')
})

describe('5', () => {
  test('25 readings of 200 bytes and a topic of 43 fill 5,120 bytes; a 26th makes two', () => {
    const [best, next] = [row(5, '25 (best)'), row(5, '26')]
    expect([best[2], next[2]]).toEqual(['$65.67', '$86.09'])
    expect(answer(5).result).toContain('The floor is the connection at $34.56')
  })

  test('the best N is never 0', () => {
    expect(bestPacking(parseWorkload({ payloadBytes: 9_000 }), loadPriceBook('us-east-1'))).toBe(1)
  })
})

test('6: work a month moves the fleet size at which servers pay', () => {
  const turn = (title: string) => Number(/up to ([\d,]+) devices/.exec(row(6, 'weir-ec2', title)[2]!)![1]!.replace(',', ''))
  expect(turn('as given')).toBeLessThan(turn('2,000 USD of work a month'))
  expect(turn('2,000 USD of work a month')).toBeLessThan(turn('8,000 USD of work a month'))
})

test('7: 1.2 requests a message singly, 0.3 in batches, at 0.40 a million', () => {
  expect(answer(7).rows.map((cells) => cells[1])).toEqual(['$0.30', '$0.48', '$0.12', '$0.0026', '$0.15', '$0.13', '$0.23'])
})

test('8: every row has a figure for every plan', () => {
  for (const cells of answer(8).rows) for (const cell of cells.slice(4)) expect(cell).toMatch(/^\$/)
})

test('9: Ireland has a dearer HTTP API, Frankfurt too few prices', () => {
  expect(row(9, '2: broker only, api-http-sqs').slice(1)).toEqual([
    'iot-mqtt up to 12.66 s, then api-http-sqs · iot-mqtt up to 4.23 min, then api-http-sqs',
    'iot-mqtt up to 25.69 s, then api-http-sqs · iot-mqtt up to 5.593 min, then api-http-sqs',
    expect.stringContaining('not priced'),
  ])
})

test('10: names the recalled price of addresses and the rule about HTTPS minutes', () => {
  const rests = answer(10).rows.map((cells) => cells[0])
  expect(rests).toContain('HTTPS publishes on IoT Core have no connection minutes')
  expect(rests).toContainEqual(expect.stringContaining('vpc.publicIpv4Hours'))
  expect(answer(10, { region: 'eu-west-1' }).rows).toContainEqual([
    expect.stringContaining('price of iotCore.messages (tier 2 on)'),
    expect.anything(),
    'inferred',
  ])
})
