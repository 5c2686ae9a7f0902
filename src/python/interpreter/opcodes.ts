/** What the instructions of CPython's bytecode mean to who asks where a value goes, by version. */

/** `end`: the value is used up; `iterate`: it is taken apart, or entered; `call`: C code may be at work. */
export type Role =
  | 'storeFast'
  | 'storeFastTwice'
  | 'storeFastAndLoad'
  | 'storeName'
  | 'storeGlobal'
  | 'storeDeref'
  | 'storeAttribute'
  | 'loadFast'
  | 'loadName'
  | 'loadGlobal'
  | 'loadDeref'
  | 'return'
  | 'end'
  | 'iterate'
  | 'swap'
  | 'extend'
  | 'call'
  /** The end of a loop; an `end` right behind it takes only the iterator away. */
  | 'endFor';

export interface Opcodes {
  /** By opcode; undefined: none of these. Specialised instructions have the role of what they were made from. */
  readonly roles: readonly (Role | undefined)[];
  /** Code units of inline caches behind each opcode. */
  readonly caches: Uint8Array;
}

/** Numbers and ranges of opcodes, as `dis` and `opcode` of each version have them. */
interface Table {
  readonly roles: Readonly<Partial<Record<Role, string>>>;
  readonly caches: Readonly<Record<number, string>>;
}

const tables: Readonly<Record<number, Table>> = {
  10: {
    roles: {
      end: '1 60 86 114-115 130',
      iterate: '68 92-94 143',
      return: '83',
      storeName: '90',
      storeAttribute: '95',
      storeGlobal: '97',
      loadName: '101',
      call: '16-17 19-20 22-29 55-57 59 62-67 75-79 108 131 141-142 157 161-165',
      loadGlobal: '116',
      loadFast: '124',
      storeFast: '125',
      loadDeref: '136',
      storeDeref: '137',
      extend: '144',
    },
    caches: {},
  },
  11: {
    roles: {
      end: '1 60 86 130 168-170',
      call: '3-8 13-14 16-25 64-67 72-73 76-81 108 113 121-122 127 141-143 157 162-166 171',
      extend: '34 144',
      loadFast: '45-46 124',
      loadGlobal: '47-48 55 116',
      iterate: '53 68 92-94 177-180',
      return: '83',
      storeName: '90',
      storeAttribute: '95 153-154 158-159',
      storeGlobal: '97',
      swap: '99',
      loadName: '101',
      storeFast: '125 161 167',
      loadDeref: '137',
      storeDeref: '138',
    },
    caches: {
      1: '3-8 13-14 16 60 64-67 72-73 76-81 92 113 121-122 127 141 143 166 168-170 177-180',
      4: '17-25 39-43 95 106 153-154 158-159 171',
      2: '26-29 107',
      5: '47-48 55 116',
      10: '56-59 62-63 160',
    },
  },
  12: {
    roles: {
      end: '1 60 114-115 130 150 159-160',
      call: '6-8 10 13-14 16 18-26 28-29 34 38-48 56 108 122 142 157 162-165 171 173-174',
      iterate: '53 62-65 68 92-94 161 166-167',
      return: '83 121',
      loadFast: '86 88 124 127',
      storeName: '90',
      storeAttribute: '95 113 148 153',
      storeGlobal: '97',
      swap: '99',
      loadName: '101',
      loadGlobal: '111-112 116',
      storeFast: '125 154 158',
      loadDeref: '137',
      storeDeref: '138',
      extend: '144',
    },
    caches: {
      1: '6-8 10 13-14 16 18-22 25 57-60 62-67 92-93 107 122-123 141 159-161 166-168',
      3: '23-24 28-29 34 38-48 56 171',
      9: '70 72-73 76-82 106',
      4: '95 111-113 116 148 153',
    },
  },
  13: {
    roles: {
      endFor: '11',
      iterate: '2 19 72 116-117 187-190 220-222',
      end: '32 39 97 100-101 118 212-213',
      return: '36 103',
      call: '3-5 45 51 53-57 68-69 75 81 107 150-181',
      extend: '71',
      loadDeref: '84',
      loadFast: '85 87',
      loadGlobal: '91 203-204',
      loadName: '92',
      storeAttribute: '108 209-211',
      storeDeref: '109',
      storeFast: '110',
      storeFastAndLoad: '111',
      storeFastTwice: '112',
      storeGlobal: '113',
      storeName: '114',
      swap: '115',
    },
    caches: {
      1: '3 5 39 45 58-59 72 77 93 97-100 104 117 150-161 182-190 205-206 208 212-213 220-222',
      3: '40 53 162-181 214-219',
      4: '91 108 203-204 209-211',
      9: '82 191-202',
    },
  },
  14: {
    roles: {
      endFor: '9',
      iterate: '16 70 95 118-119 171-174 209-211',
      end: '30-31 38 100 103-104 120 201-202',
      return: '35',
      call: '1 3-4 44 50 52-55 66-67 73 79 109 129-165',
      extend: '69',
      loadDeref: '83',
      loadFast: '84 86 88',
      loadGlobal: '92 192-193',
      loadName: '93',
      storeAttribute: '110 198-200',
      storeDeref: '111',
      storeFast: '112',
      storeFastAndLoad: '113',
      storeFastTwice: '114',
      storeGlobal: '115',
      storeName: '116',
      swap: '117',
    },
    caches: {
      1: '38 56-57 70 75 96 100-103 106 119 166-176 194-195 197 201-202 209-211',
      3: '39 52 55 143-165 203-208',
      4: '92 110 192-193 198-200',
      5: '3 44 129-142',
      9: '80 177-189',
    },
  },
  15: {
    roles: {
      endFor: '9',
      iterate: '68 70 94 117-118 174-180 216-218',
      end: '28-29 36 99 102-103 119 208-209',
      return: '33',
      call: '1 3-4 42 48 50-53 64-65 72 78 108 129-168',
      extend: '67',
      loadDeref: '82',
      loadFast: '83 85 87',
      loadGlobal: '91 196-197',
      loadName: '92',
      storeAttribute: '109 205-207',
      storeDeref: '110',
      storeFast: '111',
      storeFastAndLoad: '112',
      storeFastTwice: '113',
      storeGlobal: '114',
      storeName: '115',
      swap: '116',
    },
    caches: {
      1: '4 36 54-55 68 70 74 95 99-102 105 118 128 151-152 169-182 198-204 208-209 216-218',
      3: '37 50 53 144-150 153-168 210-215',
      4: '91 109 196-197 205-207',
      5: '3 42 129-143',
      9: '79 183-195',
    },
  },
};

const read = new Map<number, Opcodes>();

/** The opcodes of CPython 3.`minor`; null: they are not known. 3.6 to 3.9 have those of 3.10, as far as they matter here. */
export function opcodesOf(minor: number): Opcodes | null {
  const version = minor >= 6 && minor < 10 ? 10 : minor;
  const known = read.get(version);
  if (known !== undefined) return known;
  const table = tables[version];
  if (table === undefined) return null;
  const opcodes = { roles: rolesOf(table), caches: cachesOf(table) };
  read.set(version, opcodes);
  return opcodes;
}

function rolesOf({ roles }: Table): readonly (Role | undefined)[] {
  const found: (Role | undefined)[] = Array.from({ length: 256 });
  for (const [role, ranges] of Object.entries(roles))
    for (const opcode of numbersIn(ranges)) found[opcode] = role as Role;
  return found;
}

function cachesOf({ caches }: Table): Uint8Array {
  const found = new Uint8Array(256);
  for (const [units, ranges] of Object.entries(caches))
    for (const opcode of numbersIn(ranges)) found[opcode] = Number(units);
  return found;
}

const numbersIn = (ranges: string): readonly number[] =>
  ranges.split(' ').flatMap((range) => {
    const [first, last] = range.split('-').map(Number);
    return Array.from({ length: (last ?? first!) - first! + 1 }, (_, i) => first! + i);
  });
