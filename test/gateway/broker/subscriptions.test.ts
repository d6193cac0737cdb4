// The index of subscriptions against a one-line matcher, and against what a broker and its store tell it.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createSubscriptions,
  type LiveSubscriptions,
  type StoredSubscriptions,
  watchLive,
  watchStored,
} from '../../../gateway/broker/subscriptions.ts'

const level = fc.constantFrom('a', 'b', '', '$x')
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'))
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, rest]) => [...levels, ...(rest ? ['#'] : [])].join('/'))

/** [MQTT-4.7.1] and [MQTT-4.7.2-1], as a regular expression. */
function matches(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false
  const pattern = filter
    .split('/')
    .map((level) => (level === '+' ? '[^/]*' : level.replace('$', '\\$')))
    .join('/')
  return new RegExp(`^${pattern.replace(/\/?#$/, (rest) => (rest === '#' ? '.*' : '(/.*)?'))}$`).test(topic)
}

test('covers what a filter covers, whatever was added and removed before', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), filter), { maxLength: 20 })
  fc.assert(
    fc.property(steps, topic, (steps, topic) => {
      const subscriptions = createSubscriptions()
      const held: string[] = []
      for (const [adds, filter] of steps) {
        if (adds) {
          held.push(filter)
          subscriptions.add(filter)
        } else if (held.includes(filter)) {
          held.splice(held.indexOf(filter), 1)
          subscriptions.remove(filter)
        }
      }
      expect(subscriptions.cover(topic)).toBe(held.some((filter) => matches(filter, topic)))
    }),
  )
})

test('a filter that two hold is there until both have let go', () => {
  const subscriptions = createSubscriptions()
  subscriptions.add('a/+')
  subscriptions.add('a/+')
  subscriptions.remove('a/+')
  expect(subscriptions.cover('a/b')).toBe(true)
  subscriptions.remove('a/+')
  expect(subscriptions.cover('a/b')).toBe(false)
})

test('every change has a version of its own', () => {
  const subscriptions = createSubscriptions()
  const versions = [subscriptions.version]
  subscriptions.add('a')
  versions.push(subscriptions.version)
  subscriptions.remove('a')
  versions.push(subscriptions.version)
  expect(new Set(versions).size).toBe(3)
})

test('a broker is watched: a filter counts before the broker acts, and until after it has let go', () => {
  const subscriptions = createSubscriptions()
  const seen: boolean[] = []
  const look = () => void seen.push(subscriptions.cover('a/b'))
  const broker: LiveSubscriptions = { subscribe: look, unsubscribe: look }
  watchLive(broker, subscriptions)
  broker.subscribe('a/#', look, look)
  broker.unsubscribe('a/#', look, look)
  expect(seen).toEqual([true, true])
  expect(subscriptions.cover('a/b')).toBe(false)
})

describe('a store is watched', () => {
  const aStore = () => {
    const subscriptions = createSubscriptions()
    const store: StoredSubscriptions = {
      addSubscriptions: async () => {},
      removeSubscriptions: async () => {},
      cleanSubscriptions: async () => {},
    }
    watchStored(store, subscriptions)
    return { store, subscriptions }
  }

  test('a session counts once per filter, however often it subscribes', async () => {
    const { store, subscriptions } = aStore()
    await store.addSubscriptions({ id: 'c' }, [{ topic: 'a' }, { topic: 'b' }])
    await store.addSubscriptions({ id: 'c' }, [{ topic: 'a' }])
    await store.removeSubscriptions({ id: 'c' }, ['a', 'never'])
    expect([subscriptions.cover('a'), subscriptions.cover('b')]).toEqual([false, true])
  })

  test('a clean start forgets that session and no other', async () => {
    const { store, subscriptions } = aStore()
    await store.addSubscriptions({ id: 'c' }, [{ topic: 'a' }])
    await store.addSubscriptions({ id: 'd' }, [{ topic: 'b' }])
    await store.cleanSubscriptions({ id: 'c' })
    await store.cleanSubscriptions({ id: 'stranger' })
    expect([subscriptions.cover('a'), subscriptions.cover('b')]).toEqual([false, true])
  })

  test('an UNSUBSCRIBE and a SUBSCRIBE right behind it leave the filter in place', async () => {
    const { store, subscriptions } = aStore()
    await store.addSubscriptions({ id: 'c' }, [{ topic: 'a' }])
    await Promise.all([store.removeSubscriptions({ id: 'c' }, ['a']), store.addSubscriptions({ id: 'c' }, [{ topic: 'a' }])])
    expect(subscriptions.cover('a')).toBe(true)
  })
})
