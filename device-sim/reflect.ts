// The few functions of the reflect-metadata proposal that the certificate library's dependency injection calls while it loads.

type Metadata = Map<unknown, unknown>

interface MetadataReflect {
  getMetadata?(key: unknown, target: object): unknown
  getOwnMetadata?(key: unknown, target: object): unknown
  defineMetadata?(key: unknown, value: unknown, target: object): void
  hasOwnMetadata?(key: unknown, target: object): boolean
}

/** Adds them unless somebody has. To be called before the library is imported. */
export function provideReflectMetadata(): void {
  const reflect = Reflect as MetadataReflect
  if (reflect.getMetadata) return
  const known = new WeakMap<object, Metadata>()
  const own = (key: unknown, target: object) => known.get(target)?.get(key)
  reflect.getOwnMetadata = own
  reflect.hasOwnMetadata = (key, target) => known.get(target)?.has(key) ?? false
  reflect.defineMetadata = (key, value, target) => {
    const metadata: Metadata = known.get(target) ?? new Map()
    known.set(target, metadata.set(key, value))
  }
  reflect.getMetadata = (key, target) => {
    for (let at: object | null = target; at; at = Object.getPrototypeOf(at)) if (known.get(at)?.has(key)) return own(key, at)
    return undefined
  }
}
