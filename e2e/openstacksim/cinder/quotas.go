package cinder

import (
	"encoding/json"
	"net/http"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

func typeView(t *volumeType) map[string]any {
	v := front.Fields(t)
	v["id"], v["is_public"], v["os-volume-type-access:is_public"] = t.ID, true, true
	return v
}

func (c *Cinder) listTypes(*front.Request) (any, error) {
	views := []any{}
	for _, t := range c.types.All() {
		views = append(views, typeView(t))
	}
	return map[string]any{"volume_types": views}, nil
}

func (c *Cinder) getType(r *front.Request) (any, error) {
	t, ok := c.types.Get(r.PathValue("id"))
	if all := c.types.All(); r.PathValue("id") == "default" && len(all) > 0 {
		t, ok = all[0], true
	}
	if !ok {
		return nil, front.Errorf(http.StatusNotFound, "Volume type %s could not be found.", r.PathValue("id"))
	}
	return map[string]any{"volume_type": typeView(t)}, nil
}

func (c *Cinder) limits(r *front.Request) (any, error) {
	limit := func(resource string) int { return c.Quotas.Limit(r.Project(), resource) }
	return map[string]any{"limits": map[string]any{"rate": []any{}, "absolute": map[string]any{
		"maxTotalVolumes": limit("volumes"), "maxTotalVolumeGigabytes": limit("gigabytes"), "maxTotalSnapshots": limit("snapshots"),
		"maxTotalBackups": limit("backups"), "maxTotalBackupGigabytes": limit("backup_gigabytes"),
		"totalVolumesUsed": c.used(r.Project(), "volumes"), "totalGigabytesUsed": c.used(r.Project(), "gigabytes"),
		"totalSnapshotsUsed": 0, "totalBackupsUsed": 0, "totalBackupGigabytesUsed": 0,
	}}}, nil
}

// mayRead checks that the caller may read the quotas of the project in the path.
func mayRead(r *front.Request) (string, error) {
	project := r.PathValue("id")
	if project != r.Project() && !r.Caller.Admin {
		return "", front.Errorf(http.StatusForbidden, "Policy doesn't allow volume_extension:quotas:show to be performed.")
	}
	return project, nil
}

func (c *Cinder) getQuotas(r *front.Request) (any, error) {
	project, err := mayRead(r)
	if err != nil {
		return nil, err
	}
	set := map[string]any{"id": project}
	for resource, limit := range c.Quotas.Limits(project) {
		if r.Flag("usage") {
			set[resource] = map[string]any{"limit": limit, "in_use": c.used(project, resource), "reserved": 0}
		} else {
			set[resource] = limit
		}
	}
	return map[string]any{"quota_set": set}, nil
}

func (c *Cinder) setQuotas(r *front.Request) (any, error) {
	if !r.Caller.Admin {
		return nil, front.Errorf(http.StatusForbidden, "Policy doesn't allow volume_extension:quotas:update to be performed.")
	}
	keys, err := r.Keys("quota_set")
	if err != nil {
		return nil, err
	}
	for key, value := range keys {
		var limit int
		if c.Quotas.Known(key) && json.Unmarshal(value, &limit) == nil {
			c.Quotas.Set(r.PathValue("id"), key, limit)
		}
	}
	return map[string]any{"quota_set": c.Quotas.Limits(r.PathValue("id"))}, nil
}
