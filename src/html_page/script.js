'use strict';
// Everything that this shows is in the tables; nothing here makes HTML from text.
(() => {
  const row = id => document.getElementById(id);
  const make = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
  const target = link => link.getAttribute('href').slice(1);

  // The rows from the beginning of the chain to a file.
  const chain = id => {
    const rows = [];
    for (let at = row(id); at && rows.length < 100; at = at.dataset.by && row(at.dataset.by)) rows.unshift(at);
    return rows;
  };
  const because = at => {
    const group = at.dataset.why && row(at.dataset.why);
    return group ? group.cells[1].textContent : '';
  };
  const step = at => {
    const item = make('li', '');
    const link = make('a', at.cells[0].textContent);
    link.href = '#' + at.id;
    item.append(link, ' ', make('span', because(at)));
    return item;
  };
  const title = at => at.cells[0].textContent + ', ' + at.cells[at.dataset.why ? 1 : 3].textContent;

  for (const map of document.querySelectorAll('.map')) {
    const panel = map.querySelector('.chain');
    const show = tile => {
      const at = row(target(tile));
      if (!at) return;
      for (const other of map.querySelectorAll('[aria-current]')) other.removeAttribute('aria-current');
      for (const same of map.querySelectorAll('a[href="#' + at.id + '"]')) same.setAttribute('aria-current', 'true');
      const line = make('p', '');
      line.append(make('strong', title(at)));
      panel.replaceChildren(line);
      if (!at.dataset.why) {
        panel.append(make('p', 'all files that: ' + at.cells[1].textContent));
        return;
      }
      const list = make('ol', '');
      list.append(...chain(at.id).map(step));
      panel.append(list);
    };
    for (const drawing of map.querySelectorAll('.treemap')) {
      const tiles = [...drawing.querySelectorAll('a')];
      // One stop for Tab, arrows from there: the nearest tile in that direction.
      const rest = tile => tiles.forEach(other => other.setAttribute('tabindex', other === tile ? '0' : '-1'));
      if (tiles.length) rest(tiles[0]);
      const middle = tile => {
        const box = tile.getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2];
      };
      drawing.addEventListener('keydown', event => {
        const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
        const from = event.target.closest('a');
        if (!way || !from) return;
        event.preventDefault();
        const [x, y] = middle(from);
        let best = null, least = Infinity;
        for (const tile of tiles) {
          const [dx, dy] = middle(tile).map((at, axis) => at - [x, y][axis]);
          const along = dx * way[0] + dy * way[1];
          const far = along + 2 * Math.abs(dx * way[1] + dy * way[0]);
          if (along > 1 && far < least) [best, least] = [tile, far];
        }
        if (best) best.focus();
      });
      drawing.addEventListener('focusin', event => {
        const tile = event.target.closest('a');
        if (tile) { rest(tile); show(tile); }
      });
      drawing.addEventListener('click', event => {
        const tile = event.target.closest('a');
        if (!tile) return;
        event.preventDefault();
        rest(tile);
        show(tile);
      });
    }
  }

  // A field that leaves the rows with a text.
  for (const files of document.querySelectorAll('.files')) {
    const field = make('input', '');
    Object.assign(field, { type: 'search', className: 'filter', placeholder: 'part of a path' });
    field.setAttribute('aria-label', 'Show the rows with this text');
    field.addEventListener('input', () => {
      for (const at of files.querySelectorAll('tbody tr')) at.hidden = !at.textContent.includes(field.value);
    });
    files.querySelector('summary').after(field);
  }

  for (const node of document.querySelectorAll('.node')) {
    const number = node.id.slice('node-'.length);
    const light = on => {
      const touching = '[data-from="' + number + '"], [data-to="' + number + '"]';
      for (const edge of node.ownerSVGElement.querySelectorAll(touching)) edge.classList.toggle('lit', on);
    };
    for (const kind of ['mouseenter', 'focus']) node.addEventListener(kind, () => light(true));
    for (const kind of ['mouseleave', 'blur']) node.addEventListener(kind, () => light(false));
  }

  addEventListener('beforeprint', () => document.querySelectorAll('details:not(.files)').forEach(one => { one.open = true; }));
})();
