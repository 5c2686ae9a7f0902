/** The kernel's table of tasks: sortable, and only the rows that can be seen are in the page. */
import type { JSX } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import type { Incident, Task } from '../../src/model/report.ts';
import { formatBytes } from '../../src/model/units.ts';
import { Search, Section } from './parts.tsx';
import { count } from './labels.ts';

interface Column {
  readonly key: keyof Task;
  readonly title: string;
  readonly bytes: boolean;
}
const columns: readonly Column[] = [
  { key: 'pid', title: 'PID', bytes: false },
  { key: 'name', title: 'Name', bytes: false },
  { key: 'uid', title: 'UID', bytes: false },
  { key: 'rssBytes', title: 'Resident', bytes: true },
  { key: 'anonRssBytes', title: 'Anonymous', bytes: true },
  { key: 'fileRssBytes', title: 'File', bytes: true },
  { key: 'shmemRssBytes', title: 'Shared', bytes: true },
  { key: 'swapBytes', title: 'Swap', bytes: true },
  { key: 'totalVmBytes', title: 'Virtual', bytes: true },
  { key: 'oomScoreAdj', title: 'oom_score_adj', bytes: false },
];

const rowHeight = 32;
const viewport = 420;
/** These are all seen at once: nobody searches in them. */
const fewTasks = 8;

interface Sort {
  readonly key: keyof Task;
  readonly down: boolean;
}

export function Tasks({ incident }: { incident: Incident }): JSX.Element | null {
  const { tasks = [], victim } = incident;
  const [sort, setSort] = useState<Sort>({ key: 'rssBytes', down: true });
  const [search, setSearch] = useState('');
  const [scrolled, setScrolled] = useState(0);
  const scroller = useRef<HTMLDivElement>(null);
  const used = useMemo(() => columnsOf(tasks), [tasks]);
  const rows = useMemo(() => sortedRows(tasks, search, sort), [tasks, sort, search]);
  if (tasks.length === 0) return null;
  const total = tasks.reduce((sum, { rssBytes = 0 }) => sum + rssBytes, 0);
  const first = Math.max(0, Math.floor(scrolled / rowHeight) - 5);
  const visible = rows.slice(first, first + Math.ceil(viewport / rowHeight) + 10);
  const below = rows.length - first - visible.length;
  return (
    <Section
      id="tasks"
      title="The kernel's table of tasks"
      note={`${count(tasks.length, 'task')}, ${formatBytes(total)} resident in all`}
    >
      {tasks.length > fewTasks ? (
        <Search
          what="a name or pid"
          within="the tasks"
          text={search}
          found={count(rows.length, 'task')}
          onSearch={(text) => {
            setSearch(text);
            scroller.current?.scrollTo(0, 0);
          }}
        />
      ) : null}
      <div
        class="scroll virtual"
        ref={scroller}
        tabIndex={0}
        role="group"
        aria-label="Tasks"
        onScroll={(event) => setScrolled(event.currentTarget.scrollTop)}
      >
        <table aria-rowcount={rows.length + 1}>
          <Headings used={used} sort={sort} onSort={setSort} />
          <tbody>
            {first > 0 ? <Spacer rows={first} columns={used.length} /> : null}
            {visible.map((task, index) => (
              <Row
                key={`${task.pid} ${index}`}
                task={task}
                used={used}
                number={first + index + 2}
                isVictim={task.pid === victim?.pid}
              />
            ))}
            {below > 0 ? <Spacer rows={below} columns={used.length} /> : null}
          </tbody>
        </table>
      </div>
      {rows.length > visible.length ? (
        <p class="note on-paper">and {rows.length - visible.length} more, not printed</p>
      ) : null}
    </Section>
  );
}

/** Swap or shared memory that nobody had would only push the others out of a narrow window. */
const columnsOf = (tasks: readonly Task[]): readonly Column[] =>
  columns.filter(({ key, bytes }) =>
    tasks.some((task) => task[key] !== undefined && (!bytes || task[key] !== 0)),
  );

function sortedRows(tasks: readonly Task[], search: string, { key, down }: Sort): readonly Task[] {
  const wanted = search.toLowerCase();
  return tasks
    .filter(({ name, pid }) => `${name} ${pid}`.toLowerCase().includes(wanted))
    .sort((a, b) => {
      const [x, y] = [a[key], b[key]];
      // What is not known stands last, whichever way it is sorted.
      if (x === undefined || y === undefined)
        return Number(x === undefined) - Number(y === undefined);
      const order =
        typeof x === 'string' || typeof y === 'string' ? String(x).localeCompare(String(y)) : x - y;
      return down ? -order : order;
    });
}

interface HeadingsProps {
  readonly used: readonly Column[];
  readonly sort: Sort;
  readonly onSort: (sort: Sort) => void;
}

const Headings = ({ used, sort, onSort }: HeadingsProps): JSX.Element => (
  <thead>
    <tr aria-rowindex={1}>
      {used.map(({ key, title }) => (
        <th
          key={key}
          scope="col"
          class={key === 'name' ? '' : 'number'}
          aria-sort={sort.key === key ? (sort.down ? 'descending' : 'ascending') : 'none'}
        >
          <button
            type="button"
            onClick={() => onSort({ key, down: sort.key === key ? !sort.down : key !== 'name' })}
          >
            {title}
            <span aria-hidden="true">{sort.key === key ? (sort.down ? ' ↓' : ' ↑') : ''}</span>
          </button>
        </th>
      ))}
    </tr>
  </thead>
);

interface RowProps {
  readonly task: Task;
  readonly used: readonly Column[];
  /** Counted from 1, the headings included. */
  readonly number: number;
  readonly isVictim: boolean;
}

const Row = ({ task, used, number, isVictim }: RowProps): JSX.Element => (
  <tr aria-rowindex={number} class={isVictim ? 'victim' : ''}>
    {used.map(({ key, bytes }) => {
      const value = task[key];
      return (
        <td key={key} class={key === 'name' ? 'name' : 'number'}>
          {value === undefined ? '' : bytes ? formatBytes(Number(value)) : String(value)}
          {key === 'name' && isVictim ? <span class="tag bad">killed</span> : null}
        </td>
      );
    })}
  </tr>
);

/** Stands for rows that are not drawn. An svg, since its height is an attribute and needs no inline style. */
const Spacer = ({ rows, columns: span }: { rows: number; columns: number }): JSX.Element => (
  <tr aria-hidden="true" class="spacer">
    <td colSpan={span}>
      <svg width="1" height={rows * rowHeight} />
    </td>
  </tr>
);
