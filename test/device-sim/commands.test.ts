import { expect, test } from 'vitest'
import { answerTo } from '../../device-sim/commands.ts'

const on = (name: string) => `cmd/coldchain/acme/site-1/d-1/${name}`

function ask(name: string, payload = '') {
  const intervals: number[] = []
  const react = { changeInterval: (ms: number) => intervals.push(ms), reboot: () => undefined }
  const answer = answerTo(`${on(name)}/req/7`, Buffer.from(payload), 'd-1', 5, react)
  return { ...answer, body: JSON.parse(Buffer.from(answer!.payload).toString()), intervals }
}

test('an answer goes where answers go, and says which question it answers', () => {
  const { topic, qos, body } = ask('ping', 'hello')
  expect({ topic, qos, body }).toEqual({
    topic: `${on('ping')}/res/7`,
    qos: 1,
    body: { device: 'd-1', command: 'ping', id: '7', at: 5, status: 'ok', received: 5 },
  })
})

test('an interval is set, or what is wrong with it is said', () => {
  expect(ask('set-interval', '{"ms":500}')).toMatchObject({ intervals: [500], body: { status: 'ok' } })
  for (const payload of ['', '{}', '{"ms":0}', '{"ms":"x"}', 'null'])
    expect(ask('set-interval', payload)).toMatchObject({ intervals: [], body: { status: expect.stringMatching(/^expected/) } })
})

test('what no device knows is answered as well', () => {
  expect(ask('sing').body.status).toBe('unknown command')
  expect(ask('constructor').body.status).toBe('unknown command')
})

test('anything else is no command', () => {
  const react = { changeInterval: () => undefined, reboot: () => undefined }
  expect(answerTo(`${on('ping')}/res/7`, Buffer.alloc(0), 'd-1', 0, react)).toBeUndefined()
  expect(answerTo('req/7', Buffer.alloc(0), 'd-1', 0, react)).toBeUndefined()
})
