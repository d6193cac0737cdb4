// What a device sends while aedes is not ready for it yet; the rest of the tap is tested through the broker.
import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { type TapClient, tap } from '../../../gateway/broker/tap.ts'
import { aPublish } from '../../helpers/raw-mqtt.ts'

function aTapped() {
  const parser = Object.assign(new EventEmitter(), { parse: () => 0, error: null, _list: { length: 0 }, _stateCounter: 0 })
  parser.on('packet', () => {})
  const errors: Error[] = []
  const taken: number[] = []
  const state = { connected: false, connackSent: false, closed: false, _parser: parser, _keepaliveInterval: 0, _keepaliveTimer: null }
  const client = Object.assign(new EventEmitter(), state)
  client.on('error', (error) => errors.push(error))
  let released = 0
  const takers = {
    publish: ({ messageId = 0 }: { readonly messageId?: number | undefined }) => taken.push(messageId) > 0,
    frame: () => false,
    ...{ subscribe: () => undefined, unsubscribe: () => undefined, puback: () => {} },
  }
  const tapped = tap(client as unknown as TapClient, takers, () => {
    released++
  })
  parser.emit('packet', { cmd: 'connect' })
  const publish = (count: number) => {
    for (let i = 1; i <= count; i++) parser.emit('packet', aPublish(i))
  }
  return { client, tapped, errors, taken, publish, released: () => released }
}

test('what comes right behind the CONNACK waits, unread beyond what is here, and is taken in order', () => {
  const { client, tapped, errors, taken, publish, released } = aTapped()
  client.connackSent = true
  publish(100)
  expect({ errors, taken, holding: tapped.holding }).toEqual({ errors: [], taken: [], holding: true })
  client.connected = true
  client.emit('connected')
  expect(taken).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
  expect({ holding: tapped.holding, released: released() }).toEqual({ holding: false, released: 1 })
})

test('before the CONNACK there is room for 42 packets', () => {
  const { errors, publish } = aTapped()
  publish(42)
  expect(errors).toEqual([])
  publish(1)
  expect(errors.map(({ message }) => message)).toEqual(['too many packets before CONNACK'])
})
