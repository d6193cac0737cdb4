// A map of bounded size. When it is full, the entry that was used longest ago is forgotten.

export interface Recent<V> {
  /** Counts as a use of the entry. */
  get(key: string): V | undefined
  set(key: string, value: V): void
  delete(key: string): void
  readonly size: number
}

export function createRecent<V>(max: number): Recent<V> {
  const entries = new Map<string, V>()
  const put = (key: string, value: V) => {
    entries.delete(key)
    entries.set(key, value)
  }
  return {
    get(key) {
      const value = entries.get(key)
      if (value !== undefined) put(key, value)
      return value
    },
    set(key, value) {
      put(key, value)
      if (entries.size > max) entries.delete(entries.keys().next().value!)
    },
    delete: (key) => void entries.delete(key),
    get size() {
      return entries.size
    },
  }
}
