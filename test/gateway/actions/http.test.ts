import { describe, expect, test } from 'vitest'
import { http } from '../../../gateway/actions/http.ts'
import { testSink } from '../../contract/sink.ts'
import { createDelivery, createDeps, delivered } from '../../helpers/delivery.ts'
import { settled } from '../../helpers/manual-clock.ts'

const signal = new AbortController().signal

type Fetch = (url: URL, request: RequestInit & { headers: Headers }) => Promise<Response>

function setUp(params: object, answer: Fetch) {
  const deps = createDeps({ fetch: answer as unknown as typeof fetch })
  return { clock: deps.clock, sink: http.bind(http.params.parse(params), deps) }
}

const status = { accept: 200, refuse: 400, fail: 503 }

testSink({
  entry: { http: { url: 'https://hooks.example.com/warm' } },
  target: (decide) => ({
    fetch: (async (_, request) => {
      const gone = new Promise<never>((_, reject) =>
        request?.signal?.addEventListener('abort', () => reject(new DOMException('', 'AbortError'))),
      )
      const body = String(request?.body)
      return new Response(null, { status: status[await Promise.race([decide(body), gone])] })
    }) as typeof fetch,
  }),
})

test('a POST with the result, its type, its idempotency key and the headers of the rule', async () => {
  const seen: unknown[] = []
  const { sink } = setUp({ url: 'https://example.com/a', headers: [{ key: 'x-device', value: '${topic(5)}' }] }, async (url, request) => {
    seen.push(url.href, request.method, String(request.body), Object.fromEntries(request.headers))
    return new Response()
  })
  await delivered(sink, createDelivery({ body: '{"t":1}', key: 'k' }), signal)
  expect(seen).toEqual([
    'https://example.com/a',
    'POST',
    '{"t":1}',
    { 'content-type': 'application/json', 'idempotency-key': 'k', 'x-device': 'freezer-1' },
  ])
})

test('bytes that are no JSON are an octet stream, unless the rule says otherwise', async () => {
  const types: (string | null)[] = []
  const answer: Fetch = async (_, { headers }) => {
    types.push(headers.get('content-type'))
    return new Response()
  }
  const plain = setUp({ url: 'https://example.com' }, answer)
  await delivered(plain.sink, createDelivery({ body: Buffer.from([0xff]) }), signal)
  const own = setUp({ url: 'https://example.com', headers: [{ key: 'Content-Type', value: 'text/plain' }] }, answer)
  await delivered(own.sink, createDelivery({ body: 'warm' }), signal)
  expect(types).toEqual(['application/octet-stream', 'text/plain'])
})

test('three attempts for 429 and 5xx, one for everything else', async () => {
  const attempts = async (status: number) => {
    let count = 0
    const { sink, clock } = setUp({ url: 'https://example.com' }, async () => {
      count++
      return new Response(null, { status })
    })
    const code = delivered(sink, createDelivery(), signal).catch((error) => error.code)
    await settled()
    await clock.advance(2_000)
    return [count, await code]
  }
  expect(await attempts(503)).toEqual([3, 'ACTION_FAILED'])
  expect(await attempts(429)).toEqual([3, 'ACTION_FAILED'])
  expect(await attempts(404)).toEqual([1, 'ACTION_REFUSED'])
  expect(await attempts(302)).toEqual([1, 'ACTION_REFUSED'])
})

test('all attempts together have three seconds', async () => {
  const { sink, clock } = setUp(
    { url: 'https://example.com' },
    (_, { signal }) => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
  )
  const fate = delivered(sink, createDelivery(), signal).catch((error) => error.message)
  await clock.advance(3_000)
  expect(await fate).toBe('the endpoint did not answer in time')
})

test('the log learns the host, never the path: webhooks keep secrets there', async () => {
  const { sink } = setUp({ url: 'https://hooks.example.com/T000/secret?token=1' }, async () => new Response(null, { status: 403 }))
  const error = await delivered(sink, createDelivery(), signal).catch((error) => error)
  expect(error).toMatchObject({ message: 'the endpoint answered 403', details: { host: 'hooks.example.com' } })
  expect(JSON.stringify(error.details)).not.toContain('secret')
})

test('a template in the URL stays below its confirmationUrl', async () => {
  const params = { url: 'https://example.com/in/${topic(5)}', confirmationUrl: 'https://example.com/in/' }
  const { sink } = setUp(params, async () => new Response())
  await delivered(sink, createDelivery(), signal)
  const other = setUp({ ...params, url: 'https://${topic(5)}/in/' }, async () => new Response())
  await expect(delivered(other.sink, createDelivery(), signal)).rejects.toMatchObject({ code: 'ACTION_REFUSED' })
  expect(http.params.safeParse({ url: params.url }).error?.issues[0]?.message).toContain('is needed because `url` holds a template')
})

describe('below confirmationUrl', () => {
  const fate = async (value: string, confirmationUrl = 'https://example.com/in/') => {
    const asked: string[] = []
    const answer = async (url: URL) => {
      asked.push(String(url))
      return new Response()
    }
    const template = (text: string) => () => text.replace('${value}', () => value)
    const deps = createDeps({ fetch: answer as unknown as typeof fetch, template })
    const sink = http.bind(http.params.parse({ url: '${value}', confirmationUrl }), deps)
    const outcome = await delivered(sink, createDelivery(), signal).then(
      () => 'sent',
      (error) => error.code,
    )
    return outcome === 'sent' ? asked : outcome
  }

  test.each([
    'https://example.com/in/a',
    'https://example.com/in',
    'HTTPS://EXAMPLE.com:443/in/a?b#c',
    'https://example.com/out/../in/a',
    'https://example.com/in/a%2Fb',
  ])('%s is called', async (url) => expect(await fate(url)).toHaveLength(1))

  test.each([
    'https://example.com/inside',
    'https://example.com/in/../out',
    'https://example.com/in/%2e%2e/out',
    'https://example.com/in/..%2fout',
    'https://example.com/in/..%5Cout',
    'https://example.com/in/..;/out',
    'https://example.com/in%2Fa',
    'https://example.com/%zz',
    'https://example.com.evil.example/in/',
    'https://example.com@evil.example/in/',
    'https://user:x@example.com/in/',
    'https://example.com:8443/in/',
    'http://example.com/in/',
    'https:\\\\evil.example\\in',
    'https://\\evil.example/in/',
    'https:evil.example/in/',
    '//example.com/in/',
    ' https://example.com/in/',
    'https://evil.example/?https://example.com/in/',
  ])('%s is refused', async (url) => expect(await fate(url)).toBe('ACTION_REFUSED'))

  test('compares whole segments without a final slash too', async () => {
    expect(await fate('https://example.com/in-secret', 'https://example.com/in')).toBe('ACTION_REFUSED')
    expect(await fate('https://example.com/in/a', 'https://example.com/in')).toHaveLength(1)
    expect(await fate('https://example.com/a', 'https://example.com')).toHaveLength(1)
  })

  test.each([
    [{ url: 'https://a.example/${x}', confirmationUrl: '${y}' }, 'literal scheme and host'],
    [{ url: 'https://a.example/${x}', confirmationUrl: 'https://${y}/' }, 'literal scheme and host'],
    [{ url: 'https://a.example/${x}', confirmationUrl: 'https://a.example${y}' }, 'literal scheme and host'],
    [{ url: 'https://a.example/${x}', confirmationUrl: 'https://a.example@${y}/' }, 'literal scheme and host'],
    [{ url: 'https://a.example/${x}', confirmationUrl: 'https://a.example/?a=' }, 'neither a query'],
    [{ url: 'https://a.example/${x}', confirmationUrl: 'https://b.example/' }, 'another scheme, host or port'],
    [{ url: 'https://user:secret@a.example/' }, 'without user info'],
  ])('%j is no rule', (params, why) => expect(http.params.safeParse(params).error?.issues[0]?.message).toContain(why))
})
